; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(import_declaration (scoped_identifier) @imports)
(argument_list) @arguments.inside
((block_comment) @docstring (#match? @docstring "^/\\*\\*"))
(formal_parameter type: (_) @type)
(field_declaration type: (_) @type)
(local_variable_declaration type: (_) @type)
(method_declaration type: (_) @type)
(type_arguments (_) @type)

(method_declaration body: (block . "{" . "}") @body.inside)
(constructor_declaration body: (constructor_body . "{" . "}") @body.inside)
(lambda_expression body: (block . "{" . "}") @body.inside)

((throw_statement (object_creation_expression type: (_) @_name)) @placeholder
  (#match? @_name "NotImplemented|UnsupportedOperation"))
((block . "{" . (line_comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
