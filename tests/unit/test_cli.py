"""What the command line reads from a file, and what it shows."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from engine import Draft, EngineInfo, Suggestion, Timings
from lsp_server import cli, watch
from lsp_server.source import BadInput, cut_at, cut_at_markers
from lsp_server.watch import Hole

FILE = Path("greet.py")


def shown(draw: str, *arguments: object) -> str:
    """What one function of `watch` prints."""
    console = Console(file=io.StringIO(), width=100)
    getattr(watch, draw)(console, *arguments)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def suggestion(text: str, milliseconds: float = 40.0) -> Suggestion:
    return Suggestion(text, -0.1, "valid", Timings(5, 30, 5, milliseconds, 9, 9, 2, 4))


@pytest.mark.parametrize(
    ("line", "column", "before"),
    [(1, 1, ""), (1, 3, "äö"), (2, 1, "äö\r\n"), (2, 2, "äö\r\n𝐱"), (3, 1, "äö\r\n𝐱\n")],
)
def test_a_position_counts_characters_from_one(line: int, column: int, before: str) -> None:
    text = "äö\r\n𝐱\n".encode()
    assert cut_at(FILE, text, line, column) == [before.encode(), text[len(before.encode()) :]]


@pytest.mark.parametrize(("line", "column"), [(4, 1), (1, 4), (3, 2)])
def test_a_position_beyond_the_end_is_named(line: int, column: int) -> None:
    with pytest.raises(BadInput, match="is beyond the end of"):
        cut_at(FILE, "äö\r\n𝐱\n".encode(), line, column)


def test_an_empty_file_has_one_position() -> None:
    assert cut_at(FILE, b"", 1, 1) == [b"", b""]


def test_each_marker_is_a_hole() -> None:
    assert cut_at_markers(FILE, b"f($0, $0)\n") == [b"f(", b", ", b")\n"]


def test_a_file_without_a_marker_is_named() -> None:
    with pytest.raises(BadInput, match=r"greet\.py has no \$0 in it"):
        cut_at_markers(FILE, b"f()\n")


def test_before_and_after_show_the_hole_with_its_line_number() -> None:
    hole = Hole(FILE, "python", "python", b"a = 1\nb = 2\nreturn self.", b"\nc = 3\n")
    before = shown("print_before", hole)
    assert "greet.py:3" in before
    assert "3 return self.$0" in before
    after = shown("print_after", hole, suggestion("name(\n    x)"))
    assert [row.strip() for row in after.splitlines() if row.strip()] == [
        "1 a = 1",
        "2 b = 2",
        "3 return self.name(",
        "4     x)",
        "5 c = 3",
        "6",
    ]


def test_a_draft_is_shown_between_the_ends_of_its_line() -> None:
    hole = Hole(FILE, "python", "python", b"x = (", b")\n")
    assert shown("print_step", hole, Draft("a░", 2, 1)) == "     2 │ x = (a░)\n"


def test_a_huge_line_is_shown_next_to_the_hole_only() -> None:
    hole = Hole(FILE, "python", "text", b"x" * 500_000 + b"near ", b" too" + b"y" * 500_000)
    drawn = shown("print_before", hole) + shown("print_step", hole, Draft("hole", 1, 0))
    assert "near $0 too" in drawn
    assert "near hole" in drawn
    assert len(drawn) < 2000


def test_nothing_in_a_file_reaches_the_terminal_as_a_command() -> None:
    hole = Hole(FILE, "text", "text", b"\x1b[31mred\x07 ", b"\n")
    drawn = shown("print_before", hole) + shown("print_step", hole, Draft("\x1b]0;title\x07", 1, 0))
    assert "\x1b" not in drawn
    assert "\x07" not in drawn


def test_the_summary_counts_verdicts_and_rates() -> None:
    info = EngineInfo("0.1.0", "tiny", "00", 7_200_000, "cpu", "float32", 2)
    line = shown("print_summary", [suggestion("a"), suggestion("b", 60.0)], info)
    assert line.startswith("2 holes: 2 valid · median 50 ms · 80 tokens/s · 4 forward passes")
    assert "tiny, 7.2M parameters, float32 on cpu" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["fill"],
        ["fill", "a.py", "--at", "0:1"],
        ["fill", "a.py", "--at", "3"],
        ["fill", "a.py", "--max-lines", "0"],
        ["fill", "a.py", "--budget-ms", "soon"],
        ["lsp", "--tcp", "localhost"],
        ["lsp", "--tcp", "localhost:99999"],
        ["paint"],
        [],
    ],
)
def test_wrong_arguments_are_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
