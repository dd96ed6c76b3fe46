[(lambda_expression) (for_range_loop) (catch_clause)] @scope

(reference_declarator (identifier) @name)
(for_range_loop declarator: (identifier) @name)
(optional_parameter_declaration declarator: (identifier) @name)
