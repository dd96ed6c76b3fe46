; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(argument_list "(" ")") @arguments.inside

((call method: (identifier) @_name arguments: (argument_list . (constant) @_what)) @placeholder
  (#eq? @_name "raise")
  (#eq? @_what "NotImplementedError"))
