; What is worth filling, by kind: from the first to the last node of a name. `.inside` is what lies
; between a node's first and last child, which are brackets or quotes.

(preproc_include path: (string_literal) @imports.inside)
(preproc_include path: (system_lib_string) @imports)
(argument_list) @arguments.inside
((comment) @docstring (#match? @docstring "^/\\*\\*"))
(parameter_declaration type: (_) @type)
(field_declaration type: (_) @type)
(declaration type: (_) @type)
(function_definition type: (_) @type)

(function_definition body: (compound_statement . "{" . "}") @body.inside)
((compound_statement . "{" . (comment) @placeholder . "}") (#match? @placeholder "TODO|FIXME"))
