; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

((comment)+ @docstring . [(function_declaration) (method_declaration) (type_declaration)])
(argument_list) @arguments.inside
(import_spec_list "(" ")") @imports.inside
(parameter_declaration type: (_) @type)
(field_declaration type: (_) @type)
(var_spec type: (_) @type)
(function_declaration result: (_) @type)
(method_declaration result: (_) @type)

(function_declaration body: (block . "{" . "}") @body.inside)
(method_declaration body: (block . "{" . "}") @body.inside)
(func_literal body: (block . "{" . "}") @body.inside)

((expression_statement (call_expression
  function: (identifier) @_name
  arguments: (argument_list (interpreted_string_literal) @_message))) @placeholder
  (#eq? @_name "panic")
  (#match? @_message "(?i)not (yet )?implemented|todo"))
((block . "{" . (comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
