; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(value_arguments "(" ")") @arguments.inside
(parameter (user_type) @type)

(function_declaration body: (function_body . "{" . "}") @body.inside)
((call_expression (simple_identifier) @_name (call_suffix (value_arguments) @_message)) @placeholder
  (#eq? @_name "fatalError")
  (#match? @_message "[Nn]ot (yet )?implemented|TODO"))
