"""The language server room: speaks LSP 3.18 to an editor and asks the engine to fill holes.

Its door is `lsp_server.server`. It imports neither torch nor tree-sitter: `initialize` is answered
while the engine, a process of its own, is still loading.
"""
