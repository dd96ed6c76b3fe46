"""Training and evaluation. Imported by the command line alone, never by the server."""
