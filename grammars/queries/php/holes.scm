; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(arguments) @arguments.inside
((comment) @docstring (#match? @docstring "^/\\*\\*"))
(simple_parameter type: (_) @type)
(function_definition return_type: (_) @type)
(method_declaration return_type: (_) @type)

(function_definition body: (compound_statement . "{" . "}") @body.inside)
(method_declaration body: (compound_statement . "{" . "}") @body.inside)

((expression_statement (throw_expression (object_creation_expression (arguments) @_message)))
  @placeholder
  (#match? @_message "[Nn]ot (yet )?implemented|TODO"))
((compound_statement . "{" . (comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
