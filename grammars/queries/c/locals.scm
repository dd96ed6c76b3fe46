; Where names hold: `scope`, and the `name` that is bound in the smallest scope around it.

[(function_definition) (compound_statement) (for_statement)] @scope

(declaration declarator: (identifier) @name)
(parameter_declaration declarator: (identifier) @name)
(init_declarator declarator: (identifier) @name)
(pointer_declarator declarator: (identifier) @name)
(array_declarator declarator: (identifier) @name)
