"""A suggestion typed through is answered without the engine."""

import pytest

from lsp_server.suggestions import LastSuggestion, typed_since
from tests.support.sites import site_at


@pytest.mark.parametrize(
    ("earlier", "now", "typed"),
    [
        ("a = $0\nb", "a = $0\nb", ""),
        ("a = $0\nb", "a = f($0\nb", "f("),
        ("if x:$0\nb", "if x:\n    y$0\nb", "\n    y"),
        ("if x:$0\r\nb", "if x:\r\n    y$0\r\nb", "\n    y"),
        ("a = $0)\nb", "a = '𝄞'$0)\nb", "'𝄞'"),
        ("a = $0\nb", "a =$0\nb", None),  # deleted
        ("a = $0\nb", "a = f$0\nc", None),  # edited below
        ("a = $0\nb", "c = f$0\nb", None),  # edited before
        ("a = $0\nb", "a = \n$0b", None),  # moved
        ("a = $0\nb", "a = f($0)\nb", None),  # more than typed
    ],
)
def test_typed_since(earlier: str, now: str, typed: str | None) -> None:
    assert typed_since(site_at(earlier), site_at(now)) == typed


def test_another_document_is_another_place() -> None:
    assert typed_since(site_at("$0"), site_at("$0", uri="file:///ws/b.py")) is None


@pytest.mark.parametrize(
    ("now", "remainder"),
    [
        ("x = $0", "total(a)"),
        ("x = to$0", "tal(a)"),
        ("x = total(a)$0", None),
        ("x = ta$0", None),
        ("x =$0", None),
    ],
)
def test_remainder(now: str, remainder: str | None) -> None:
    last = LastSuggestion()
    last.remember(site_at("x = $0"), "total(a)")
    assert last.remainder(site_at(now)) == remainder


def test_nothing_is_remembered_at_first() -> None:
    assert LastSuggestion().remainder(site_at("$0")) is None
