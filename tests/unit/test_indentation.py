"""The indentation that a blank line is to have, from the lines around it alone."""

import pytest

from lsp_server.indentation import missing_indentation
from tests.support.sites import site_at


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("class A {\n  void f() {\n  }\n\n$0\n\n  @Test\n  void g() {}\n}\n", "  "),
        ("func f() {\n\tg()\n$0\n\th()\n}\n", "\t"),
        ("{\n  {\n    f();\n$0\n  }\n}\n", "    "),  # the last in its block
        ("if x {\n$0\n    f();\n}\n", "    "),  # the first in it
        ("  while (x) {\n$0\n  }\n}\n", "    "),  # alone in it
        ("class A:\n    def f(self):\n$0\n\n    def g(self): ...\n", "        "),
        ("f(\n$0\n)\n  x\n", "  "),
        ("{\n  f();\n $0\n  g();\n}\n", " "),  # some of it is there
    ],
)
def test_what_is_missing_is_what_the_neighbours_have(text: str, missing: str) -> None:
    assert missing_indentation(site_at(text)).decode() == missing


@pytest.mark.parametrize(
    "text",
    [
        "$0",
        "f()\n$0\n",
        "f()\n$0\n  g()\n",  # only one of the two
        "class A:\n    x = 1\n$0\ndef f(): ...\n",  # perhaps the class has ended
        "  f();\n$0x\n  g();\n",
        "  f();\nx$0\n  g();\n",
        "  f();\n    $0\n  g();\n",  # the user wants it deeper
        "\tf();\n$0\n  g();\n",
        "  f();\n\t$0\n  g();\n",
        "switch x {\n$0\ncase 1:\n\tf()\n}\n",  # what it holds is not indented
        "/**\n$0\n * A comment.\n */\n",
    ],
)
def test_nothing_is_missing_where_it_cannot_be_told(text: str) -> None:
    assert missing_indentation(site_at(text)) == b""


def test_far_away_lines_say_nothing_of_a_step() -> None:
    assert missing_indentation(site_at("{\n$0\n}\n" + "x\n" * 200 + "  y\n")) == b""
