; Where names hold: `scope`, and the `name` that is bound in the smallest scope around it.

[
  (method_declaration) (constructor_declaration) (lambda_expression) (block) (for_statement)
  (enhanced_for_statement) (catch_clause) (try_with_resources_statement)
] @scope

(formal_parameter name: (identifier) @name)
(local_variable_declaration declarator: (variable_declarator name: (identifier) @name))
(enhanced_for_statement name: (identifier) @name)
(catch_formal_parameter name: (identifier) @name)
(lambda_expression parameters: (identifier) @name)
(inferred_parameters (identifier) @name)
(resource name: (identifier) @name)
