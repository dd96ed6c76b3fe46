"""The languages: one row each."""

import importlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path, PurePath

from tree_sitter import Language as Grammar
from tree_sitter import Query

from grammars import lints
from grammars.lints import Lint


@dataclass(frozen=True, slots=True)
class Language:
    """A language we can judge.

    id        ours, also the key of results and test suites
    name      as people write it
    lsp_ids   identifiers that editors send
    suffixes  of file names, with the dot
    wheel     Python package of the tree-sitter grammar, and `entry`, its function
    comment   what opens a comment to the end of the line
    stubs     what may stand for a line still being typed: nothing, or the head of a block
    fills     what may stand in a hole, `%` for the brackets that its line has left open
    heads     what may open a block or go on in a chain or a list, `x` for a name
    ends      what may end a line behind the bracket or quote that closes it
    queries   folders of `queries/` that hold its queries
    lints     checks beyond the grammar, cheapest first
    """

    id: str
    name: str
    lsp_ids: tuple[str, ...]
    suffixes: tuple[str, ...]
    wheel: str
    entry: str = "language"
    comment: str = "//"
    stubs: tuple[bytes, ...] = (b"", b"{")
    lints: tuple[Lint, ...] = ()
    fills: tuple[bytes, ...] = (b"%;", b"x%;", b"%", b"x%", b"x%{", b'"%', b'"%;')
    heads: tuple[bytes, ...] = ()
    ends: tuple[bytes, ...] = (b";", b" {}", b",", b" {")
    queries: tuple[str, ...] = ()

    @property
    def grammar(self) -> Grammar:
        """Raises ImportError where the grammar's wheel is missing or too old for this core."""
        return _load_grammar(self.wheel, self.entry)

    def has_node(self, kind: str) -> bool:
        """Is there a named node of this kind in the grammar?"""
        return self.grammar.id_for_node_kind(kind, True) is not None

    @property
    def brackets(self) -> Query | None:
        """Captures, as `bracket`, those tokens of the grammar that are one."""
        return _bracket_query(self.grammar)

    @property
    def checks(self) -> tuple[Lint, ...]:
        """The lints, and the query `faults` if there is one."""
        query = self.query("faults")
        return (*self.lints, partial(lints.queried, query)) if query else self.lints

    def query(self, name: str) -> Query | None:
        """The query `name` of this language; None if it has none."""
        return _load_query(self.grammar, self.queries or (self.id,), name)


_HEAD_BYTES = 32 * 1024
_CPP = re.compile(
    rb"(?:^|\n)[ \t]*(?:(?:inline[ \t]+)?namespace[ \t]+[\w:]*[ \t]*\{|template[ \t]*<"
    rb"|class[ \t]+\w+[^;()\n]*[:{]|using[ \t]+(?:namespace\b|\w+[ \t]*=)"
    rb"|(?:public|private|protected)[ \t]*:)"
)
"""What begins a line of C++ and no line of C."""

# For languages whose statements end with the line.
_ENDLESS = (b"x%", b"%", b"x%,", b"= x%", b'"%', b"'%")

_SCRIPT_HEADS = (
    b"if (x) {", b"x({", b"function x() {", b"class x {", b"() {", b".x()", b"x: x,",
)  # fmt: skip

_SCRIPT_ENDS = (b";", b" {}", b",", b" {", b" => {}", b' from "x"')

LANGUAGES = (
    Language(
        "python", "Python", ("python",), (".py", ".pyi"), "tree_sitter_python",
        comment="#", stubs=(b"pass", b"", b"if x:"),
        fills=(b"x%", b"%", b"x%:", b"%:", b"x: x%", b"in x%:", b'"%', b"'%", b'"""'),
        heads=(b"if x:", b"def x():", b"class x:"), ends=(b": pass", b",", b":"),
        lints=(lints.python_indentation, lints.python_ast),
    ),
    Language(
        "javascript", "JavaScript", ("javascript", "javascriptreact"),
        (".js", ".jsx", ".mjs", ".cjs"), "tree_sitter_javascript", lints=(lints.javascript,),
        heads=_SCRIPT_HEADS, ends=_SCRIPT_ENDS,
    ),
    Language(
        "typescript", "TypeScript", ("typescript",), (".ts", ".mts", ".cts"),
        "tree_sitter_typescript", entry="language_typescript", lints=(lints.javascript,),
        heads=_SCRIPT_HEADS, ends=_SCRIPT_ENDS, queries=("javascript", "typescript"),
    ),
    Language(
        "tsx", "TSX", ("typescriptreact",), (".tsx",),
        "tree_sitter_typescript", entry="language_tsx", lints=(lints.javascript,),
        heads=_SCRIPT_HEADS, ends=_SCRIPT_ENDS, queries=("javascript", "typescript"),
    ),
    Language(
        "go", "Go", ("go",), (".go",), "tree_sitter_go", lints=(lints.go,),
        heads=(b"if x {", b"func x() {", b"type x struct {", b"() {", b"x: x,"),
        ends=(b" {}", b",", b" {", b" x() {}"),
    ),
    Language(
        "rust", "Rust", ("rust",), (".rs",), "tree_sitter_rust",
        heads=(b"if x {", b"fn x() {", b"impl x {", b"() {", b".x()", b"x: x,"),
        ends=(b";", b" {}", b",", b" {", b" fn x() {}", b" x: x,"),
    ),
    Language(
        "java", "Java", ("java",), (".java",), "tree_sitter_java", lints=(lints.java,),
        heads=(b"if (x) {", b"void x() {", b"class x {", b"() {", b".x()"),
    ),
    Language(
        "c", "C", ("c",), (".c", ".h"), "tree_sitter_c", lints=(lints.c,),
        heads=(b"if (x) {", b"void x(void) {", b"() {"),
    ),
    Language(
        "cpp", "C++", ("cpp",), (".cc", ".cpp", ".cxx", ".hh", ".hpp"), "tree_sitter_cpp",
        lints=(lints.c,), queries=("c", "cpp"),
        heads=(b"if (x) {", b"void x() {", b"class x {", b"() {", b".x()"),
    ),
    Language(
        "json", "JSON", ("json", "jsonc"), (".json", ".jsonc"), "tree_sitter_json",
        stubs=(b"", b'"x": {'), fills=(b"%", b"1%", b"1%,", b'"x": 1%', b'"%', b'"x": 1%,'),
    ),
    Language(
        "html", "HTML", ("html",), (".html", ".htm"), "tree_sitter_html",
        comment="", stubs=(b"",), fills=(b"%", b"x%", b">%", b'"%', b'">%', b"x>%"),
    ),
    Language(
        "css", "CSS", ("css",), (".css",), "tree_sitter_css",
        comment="", stubs=(b"", b"a {"), fills=(b"%", b"x%", b"%;", b": x%;", b"x: x%;", b'"%;'),
    ),
    Language(
        "bash", "Bash", ("shellscript", "bash", "sh"), (".sh", ".bash"), "tree_sitter_bash",
        comment="#", stubs=(b"", b"if x; then", b"x() {"),
        fills=(b"x%", b"%", b"x%;", b'"%', b"'%"),
    ),
    Language("csharp", "C#", ("csharp", "cs"), (".cs",), "tree_sitter_c_sharp"),
    Language(
        "ruby", "Ruby", ("ruby",), (".rb", ".rake", ".gemspec"), "tree_sitter_ruby",
        comment="#", stubs=(b"", b"if x"), fills=_ENDLESS,
    ),
    Language("php", "PHP", ("php",), (".php",), "tree_sitter_php", entry="language_php"),
    Language(
        "yaml", "YAML", ("yaml",), (".yaml", ".yml"), "tree_sitter_yaml",
        comment="#", stubs=(b"", b"x:", b"- x"),
        fills=(b"x%", b"%", b"x: x%", b": x%", b'"%', b"'%"),
    ),
    Language(
        "toml", "TOML", ("toml",), (".toml",), "tree_sitter_toml",
        comment="#", stubs=(b"",), fills=(b"1%", b"%", b"x = 1%", b"= 1%", b"1%,", b'"%', b"'%"),
    ),
    Language(
        "lua", "Lua", ("lua",), (".lua",), "tree_sitter_lua",
        comment="--", stubs=(b"", b"if x then"), fills=_ENDLESS,
    ),
    Language(
        "sql", "SQL", ("sql",), (".sql",), "tree_sitter_sql",
        comment="--", stubs=(b"",), fills=_ENDLESS,
    ),
    Language(
        "kotlin", "Kotlin", ("kotlin",), (".kt", ".kts"), "tree_sitter_kotlin", fills=_ENDLESS,
    ),
    Language(
        "swift", "Swift", ("swift",), (".swift",), "tree_sitter_swift", fills=_ENDLESS,
    ),
)  # fmt: skip


def language_for(language_id: str, text: bytes = b"") -> Language | None:
    """The language of an LSP identifier; None if unknown here, or its grammar is not installed.

    text  in the language, as far as it is known: a header that says it is C may be C++
    """
    if language_id == "c" and _is_cpp(text[:_HEAD_BYTES]):
        language_id = "cpp"
    return _installed(lambda language: language_id in language.lsp_ids)


def _is_cpp(text: bytes) -> bool:
    """Is there anything in the text that C has not?

    So in 435 of 446 headers of two projects in C++, in none of 655 files of three in C.
    """
    return b"std::" in text or _CPP.search(text) is not None


def language_for_path(path: PurePath | str) -> Language | None:
    """The language of a file by its suffix; None as in `language_for`."""
    suffix = PurePath(path).suffix.lower()
    return _installed(lambda language: suffix in language.suffixes)


def _installed(wanted: Callable[[Language], bool]) -> Language | None:
    for language in LANGUAGES:
        if wanted(language):
            try:
                return language if language.grammar else None
            except ImportError:
                return None
    return None


@cache
def _load_grammar(wheel: str, entry: str) -> Grammar:
    load: Callable[[], object] = getattr(importlib.import_module(wheel), entry)
    try:
        return Grammar(load())
    except ValueError as mismatch:
        raise ImportError(f"{wheel} does not fit the installed tree-sitter: {mismatch}") from None


@cache
def _load_query(grammar: Grammar, folders: tuple[str, ...], name: str) -> Query | None:
    home = Path(__file__).with_name("queries")
    files = [home / folder / f"{name}.scm" for folder in folders]
    patterns = "\n".join(file.read_text() for file in files if file.exists())
    return Query(grammar, patterns) if patterns else None


@cache
def _bracket_query(grammar: Grammar) -> Query | None:
    own = [mark for mark in "()[]{}" if grammar.id_for_node_kind(mark, False)]
    return Query(grammar, f"[{' '.join(map(json.dumps, own))}] @bracket") if own else None
