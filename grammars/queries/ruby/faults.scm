; What the grammar accepts and Ruby does not; a capture's name says what is wrong.

((identifier) @reserved.word
  (#any-of? @reserved.word "end" "else" "elsif" "ensure" "rescue" "then" "when" "in"))
