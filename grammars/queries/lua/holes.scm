; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(arguments "(" ")") @arguments.inside

((function_call name: (identifier) @_name arguments: (arguments (string) @_message)) @placeholder
  (#eq? @_name "error")
  (#match? @_message "[Nn]ot (yet )?implemented|TODO"))
