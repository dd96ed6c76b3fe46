(type_annotation (_) @type)
(type_arguments (_) @type)
(as_expression (_) (_) @type)
