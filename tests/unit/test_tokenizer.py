"""Bytes to tokens and back."""

import json
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CheckpointError, CorpusError
from engine.tokenizer import EOM, FILE, LANGUAGES, MASK, SPECIALS, Tokenizer
from tests.support.tiny_model import source_code, tiny_tokenizer

ODD = ("f(x):\n", "\t", "    ", "\r\n", "\r", "\u00e9", "\u2028", "\U0001f600", "<mask>", "0x1F")
TEXT = st.one_of(st.text(), st.lists(st.sampled_from(ODD)).map("".join))
BYTES = st.one_of(
    st.binary(),
    TEXT.map(str.encode),
    st.tuples(TEXT.map(str.encode), st.binary(max_size=3), TEXT.map(str.encode)).map(b"".join),
)


@given(BYTES)
def test_any_bytes_round_trip(text: bytes) -> None:
    tokenizer = tiny_tokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(len(SPECIALS) <= index < tokenizer.size for index in ids)


@given(st.lists(BYTES))
def test_pieces_encoded_apart_join_to_the_text(pieces: list[bytes]) -> None:
    tokenizer = tiny_tokenizer()
    encoded = tokenizer.encode_pieces(pieces)
    assert [tokenizer.decode(ids) for ids in encoded] == pieces
    assert encoded == [tokenizer.encode(piece) for piece in pieces]


@pytest.mark.parametrize("name", SPECIALS)
def test_text_that_spells_a_special_stays_text(name: str) -> None:
    tokenizer = tiny_tokenizer()
    ids = tokenizer.encode(f"a {name}{name} b".encode())
    assert min(ids) >= len(SPECIALS)
    assert tokenizer.decode(ids).decode() == f"a {name}{name} b"


def test_specials_stand_for_no_bytes() -> None:
    tokenizer = tiny_tokenizer()
    assert tokenizer.decode([MASK, EOM, FILE, tokenizer.tag("go")]) == b""


@pytest.mark.parametrize("unit", ["    ", "  ", "\t"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_line_break_and_its_indentation_are_one_token(unit: str, depth: int) -> None:
    text = "class A:\n" + indent(source_code(60, seed=0), "    ")
    tokenizer = Tokenizer.train([text.replace("    ", unit)], 350)
    ids = tokenizer.encode(f"\n{unit * depth}return".encode())
    assert tokenizer.token_bytes[ids[0]].decode() == "\n" + unit * depth


def test_digits_stand_alone() -> None:
    tokenizer = tiny_tokenizer()
    assert len(tokenizer.encode(b"1024")) == 4


def test_languages_have_tags_of_their_own() -> None:
    tags = [tiny_tokenizer().tag(language) for language in LANGUAGES]
    assert [SPECIALS[tag] for tag in tags] == [f"<{language}>" for language in LANGUAGES]
    assert tiny_tokenizer().tag("typescriptreact") == tiny_tokenizer().tag("typescript")
    assert tiny_tokenizer().tag("cobol") == tiny_tokenizer().tag("other")


def test_a_saved_tokenizer_reads_text_as_it_did(tmp_path: Path) -> None:
    text = source_code(5, seed=1).encode() + b"\xff<mask>"
    tiny_tokenizer().save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.encode(text) == tiny_tokenizer().encode(text)
    assert loaded.token_bytes == tiny_tokenizer().token_bytes


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"version": "1.0"}', "missing", "truncated", "without specials", "of words"],
)
def test_a_file_that_is_no_tokenizer_of_ours_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    tiny_tokenizer().save(path)
    good = path.read_text()
    facts = json.loads(good)
    match content:
        case "missing":
            path.unlink()
        case "truncated":
            path.write_text(good[: len(good) // 2])
        case "without specials":
            path.write_text(good.replace("<mask>", "<hole>"))
        case "of words":  # our specials, but tokens that do not spell bytes
            words = {name: index for index, name in enumerate((*SPECIALS, "a word", "another"))}
            facts["model"] |= {"vocab": words, "merges": []}
            path.write_text(json.dumps(facts))
        case _:
            path.write_text(content)
    with pytest.raises(CheckpointError, match=str(path)) as caught:
        Tokenizer.load(path)
    assert "\n" not in str(caught.value)


def test_too_little_text_for_the_vocabulary_is_said() -> None:
    with pytest.raises(CorpusError, match="where 5000 were asked"):
        Tokenizer.train(["x = 1\n"], 5000)
