; Where names hold: `scope`, and the `name` that is bound in the smallest scope around it.

[
  (function_definition) (lambda)
  (list_comprehension) (set_comprehension) (dictionary_comprehension) (generator_expression)
] @scope

(parameters [
  (identifier) @name
  (_ name: (identifier) @name)
  (typed_parameter . (identifier) @name)
  (typed_parameter . (_ (identifier) @name))
  (list_splat_pattern (identifier) @name)
  (dictionary_splat_pattern (identifier) @name)
])
(lambda_parameters [(identifier) @name (_ . (identifier) @name)])
(assignment left: [(identifier) @name (pattern_list (identifier) @name) (tuple_pattern (identifier) @name)])
(augmented_assignment left: (identifier) @name)
(for_statement left: [(identifier) @name (pattern_list (identifier) @name) (tuple_pattern (identifier) @name)])
(for_in_clause left: [(identifier) @name (pattern_list (identifier) @name) (tuple_pattern (identifier) @name)])
(as_pattern_target (identifier) @name)
(named_expression name: (identifier) @name)
