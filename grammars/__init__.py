"""What is valid syntax: the one room that knows tree-sitter, and it knows nothing of ours.

Text is bytes and every offset counts bytes. Every byte string gets an answer: broken code is a
`Fault`, a value, never an exception.
"""

from grammars.brackets import closing, unmatched
from grammars.context import faults_in
from grammars.definitions import Definition, undocumented
from grammars.gate import Gate, heads
from grammars.guess import likely_language
from grammars.languages import Language, language_for, language_for_path
from grammars.scopes import uses
from grammars.shapes import Shape, hole_at, placeholders
from grammars.syntax import Fault
from grammars.trees import common_prefix, common_suffix

__all__ = [
    "Definition",
    "Fault",
    "Gate",
    "Language",
    "Shape",
    "closing",
    "common_prefix",
    "common_suffix",
    "faults_in",
    "heads",
    "hole_at",
    "language_for",
    "language_for_path",
    "likely_language",
    "placeholders",
    "undocumented",
    "unmatched",
    "uses",
]
