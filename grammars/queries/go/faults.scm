; Only names are declared by :=.
(short_var_declaration
  left: (expression_list
    [(selector_expression) (index_expression) (call_expression) (unary_expression)
     (parenthesized_expression) (binary_expression)] @declared))
