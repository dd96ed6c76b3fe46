; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(function_definition body: (compound_statement . "{" . (command name: (command_name (word) @_name)) @placeholder . "}")
  (#eq? @_name ":"))
((compound_statement . "{" . (comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
