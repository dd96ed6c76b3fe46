"""Which language a file or an identifier speaks of."""

import sys

import pytest

from grammars import Language, language_for, language_for_path
from grammars.languages import LANGUAGES


@pytest.mark.parametrize(
    ("language_id", "path", "name"),
    [
        ("python", "a/b.py", "Python"),
        ("javascript", "a.mjs", "JavaScript"),
        ("javascriptreact", "a.jsx", "JavaScript"),
        ("typescript", "a.ts", "TypeScript"),
        ("typescriptreact", "a.tsx", "TSX"),
        ("go", "a.go", "Go"),
        ("rust", "a.rs", "Rust"),
        ("java", "A.java", "Java"),
        ("c", "a.h", "C"),
        ("cpp", "a.HPP", "C++"),
    ],
)
def test_a_language_is_found(language_id: str, path: str, name: str) -> None:
    by_id, by_path = language_for(language_id), language_for_path(path)
    assert by_id is by_path
    assert by_id
    assert by_id.name == name


@pytest.mark.parametrize(
    ("text", "language_id"),
    [
        (b"", "c"),
        (b'#ifdef __cplusplus\nextern "C" {\n#endif\nstruct a { int class_of; };\n', "c"),
        (b"/* a class of its own: public domain */\nint using;\n", "c"),
        (b"#include <string>\n\nstd::string a();\n", "cpp"),
        (b"#pragma once\nnamespace a::b {\n", "cpp"),
        (b"class A : public B {\n", "cpp"),
        (b"struct A {\n private:\n  int b;\n};\n", "cpp"),
    ],
)
def test_a_header_of_cpp_is_known_by_what_c_has_not(text: bytes, language_id: str) -> None:
    assert language_for("c", text) is language_for(language_id)


def test_an_unknown_language_is_none() -> None:
    assert language_for("plaintext") is None
    assert language_for_path("README") is None


def test_a_missing_wheel_is_no_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter_absent", None)
    absent = Language("absent", "Absent", ("absent",), (".absent",), "tree_sitter_absent")
    monkeypatch.setattr("grammars.languages.LANGUAGES", (*LANGUAGES, absent))
    assert language_for("absent") is None
    assert language_for_path("a.absent") is None
    assert language_for("python") is not None
