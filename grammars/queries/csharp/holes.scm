; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(argument_list) @arguments.inside
(parameter type: (_) @type)
(variable_declaration type: (_) @type)
(method_declaration returns: (_) @type)
(type_argument_list (_) @type)

(method_declaration body: (block . "{" . "}") @body.inside)
(constructor_declaration body: (block . "{" . "}") @body.inside)

((throw_statement (object_creation_expression type: (_) @_name)) @placeholder
  (#match? @_name "NotImplemented"))
((block . "{" . (comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
