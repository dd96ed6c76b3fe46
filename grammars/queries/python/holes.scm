; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(argument_list) @arguments.inside
(type) @type
(import_from_statement name: (_) @imports ("," name: (_) @imports)*)

(module . (expression_statement . (string) @docstring.inside .))
(class_definition body: (block . (expression_statement . (string) @docstring.inside .)))
(function_definition body: (block . (expression_statement . (string) @docstring.inside .)))

(function_definition body: (block . [(pass_statement) (expression_statement (ellipsis))] .) @placeholder)
(function_definition body: (block
  . (expression_statement (string))
  . [(pass_statement) (expression_statement (ellipsis))] @placeholder .))
((raise_statement [(identifier) @_name (call function: (identifier) @_name)]) @placeholder
  (#eq? @_name "NotImplementedError"))
((pass_statement) @placeholder . (comment) @placeholder (#any-match? @placeholder "TODO|FIXME"))
