"""The HTTP interfaces that other people's clients speak, over the same desk as our own protocol.

    a body -> a task for the engine -> a suggestion -> an answer in the client's own dialect

`dialect.py` says what a dialect is; `text.py`, `chat.py` and `llama.py` have them. `app.py` makes
routes of them, `guard.py` stands before them, `listen.py` serves them.
"""
