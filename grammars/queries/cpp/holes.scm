(lambda_expression body: (compound_statement . "{" . "}") @body.inside)
(template_argument_list (type_descriptor) @type)
((throw_statement (_) @_what) @placeholder (#match? @_what "(?i)not[_ ]?(yet[_ ])?implemented|todo"))
