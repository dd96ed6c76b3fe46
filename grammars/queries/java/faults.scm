; A method without a type is a constructor, and bears the name of its class.
(class_declaration
  name: (identifier) @_class
  body: (class_body (constructor_declaration name: (identifier) @constructor))
  (#not-eq? @_class @constructor))
(enum_declaration
  name: (identifier) @_class
  body: (enum_body
    (enum_body_declarations (constructor_declaration name: (identifier) @constructor)))
  (#not-eq? @_class @constructor))

; What is imported is in a package.
(import_declaration (identifier) @import)
