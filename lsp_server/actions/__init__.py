"""What a user asks for by name: holes filled, faults mended, code rewritten, an edit continued.

Its door is `handlers`. An action makes a `Plan` out of one version of a document, and changes
nothing; `applying` puts plans into the editor.
"""
