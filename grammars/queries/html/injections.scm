; Text in another language. `injection.language` is an identifier that editors send for it.

((script_element (raw_text) @injection.content) (#set! injection.language "javascript"))
((style_element (raw_text) @injection.content) (#set! injection.language "css"))
