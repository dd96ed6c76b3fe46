(required_parameter pattern: (identifier) @name)
(optional_parameter pattern: (identifier) @name)
