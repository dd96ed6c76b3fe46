; Where names hold: `scope`, and the `name` that is bound in the smallest scope around it.

[
  (function_item) (closure_expression) (block) (match_arm) (for_expression) (if_expression)
  (while_expression)
] @scope

(_ pattern: (identifier) @name)
(closure_parameters (identifier) @name)
(mut_pattern (identifier) @name)
(ref_pattern (identifier) @name)
(tuple_pattern (identifier) @name)
(tuple_struct_pattern type: (_) (identifier) @name)
