; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(value_arguments) @arguments.inside
(parameter (identifier) (_) @type)
(type_arguments (_) @type)

(function_declaration (function_body (block . "{" . "}") @body.inside))
((call_expression (identifier) @_name) @placeholder (#eq? @_name "TODO"))
((block . "{" . (line_comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
