; What stands between items is an item: statements are for bodies, but a macro may be called.
(source_file (let_declaration) @statement.between.items)
(source_file (empty_statement) @statement.between.items)
(source_file
  (expression_statement (_) @statement.between.items)
  (#not-match? @statement.between.items "^[A-Za-z0-9_:\\s]+!"))

; No import in an implementation or a trait.
(impl_item body: (declaration_list (use_declaration) @import))
(trait_item body: (declaration_list (use_declaration) @import))

; A parameter of a function has a name.
(function_item parameters: (parameters (_type) @parameter.without.name))
