; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(arguments) @arguments.inside
(use_list) @imports.inside
(line_comment doc: (doc_comment) @docstring)
(parameter type: (_) @type)
(field_declaration type: (_) @type)
(let_declaration type: (_) @type)
(function_item return_type: (_) @type)
(type_arguments (_) @type)

(function_item body: (block . "{" . "}") @body.inside)
(closure_expression body: (block . "{" . "}") @body.inside)

((expression_statement (macro_invocation macro: (identifier) @_name)) @placeholder
  (#any-of? @_name "todo" "unimplemented"))
((block (macro_invocation macro: (identifier) @_name) @placeholder .)
  (#any-of? @_name "todo" "unimplemented"))
((block . "{" . [(line_comment) (block_comment)] @placeholder . "}")
  (#match? @placeholder "TODO|FIXME"))
