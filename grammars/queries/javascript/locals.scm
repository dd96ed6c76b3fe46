; Where names hold: `scope`, and the `name` that is bound in the smallest scope around it.

[
  (function_declaration) (function_expression) (generator_function_declaration) (arrow_function)
  (method_definition) (statement_block) (for_statement) (for_in_statement) (catch_clause)
] @scope

(variable_declarator name: (identifier) @name)
(formal_parameters (_ !pattern) @name)
(assignment_pattern left: (identifier) @name)
(arrow_function parameter: (identifier) @name)
(rest_pattern (identifier) @name)
(array_pattern (identifier) @name)
(shorthand_property_identifier_pattern) @name
(pair_pattern value: (identifier) @name)
(for_in_statement left: (identifier) @name)
(catch_clause parameter: (identifier) @name)
