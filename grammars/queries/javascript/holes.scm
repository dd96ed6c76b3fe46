; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(arguments) @arguments.inside
(named_imports) @imports.inside
((comment) @docstring (#match? @docstring "^/\\*\\*"))

(function_declaration body: (statement_block . "{" . "}") @body.inside)
(function_expression body: (statement_block . "{" . "}") @body.inside)
(generator_function_declaration body: (statement_block . "{" . "}") @body.inside)
(method_definition body: (statement_block . "{" . "}") @body.inside)
(arrow_function body: (statement_block . "{" . "}") @body.inside)

((throw_statement (new_expression constructor: (_) arguments: (arguments) @_message)) @placeholder
  (#match? @_message "(?i)not (yet )?implemented|todo"))
((throw_statement (new_expression constructor: (_) @_name)) @placeholder
  (#match? @_name "NotImplemented"))
((statement_block . "{" . (comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
