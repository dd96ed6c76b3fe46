; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(arguments) @arguments.inside
(rule_set (block . "{" . "}") @body.inside)
