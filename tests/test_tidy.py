"""The invariants of ARCHITECTURE.md that can be read off the files."""

import ast
import json
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from engine import __version__
from grammars.languages import LANGUAGES
from lsp_server.settings import Settings

ROOT = Path(__file__).parents[1]
ROOMS = ("bench", "lsp_server", "engine", "grammars")

FILE_LINES = 400
FUNCTION_LINES = 40

COMMANDS = {
    "bench/cli.py",
    "lsp_server/cli.py",
    "lsp_server/doctor.py",
    "lsp_server/fill.py",
    "lsp_server/watch.py",
    "engine/__main__.py",
    "engine/cli_model.py",
    "engine/train/cli_adapt.py",
    "engine/train/cli_corpus.py",
    "engine/train/cli_eval.py",
    "engine/train/cli_train.py",
}
"""Files that talk to a terminal."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While


def sources(*rooms: str) -> list[str]:
    """Python files of the rooms, as paths from the root."""
    found = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), path)


def imports(path: str) -> Iterator[str]:
    """Modules that a file imports, inside functions too, with dots."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and spelled(node.func).endswith("import_module"):
            yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))


def rooms_of(modules: Iterator[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}.intersection((*ROOMS, "tests"))


def spelled(node: ast.AST) -> str:
    """`a.b.c` for a name or a chain of attributes, the last attribute alone for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{spelled(node.value)}.{node.attr}"
    return ""


def calls(root: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call below `root`, with what is called as it is spelled."""
    for node in ast.walk(root):
        if isinstance(node, ast.Call):
            yield spelled(node.func), node


def definitions(path: str) -> Iterator[Function | ast.ClassDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function | ast.ClassDef):
            yield node


def listed_files(text: str) -> set[str]:
    """Files in the indented trees of a Markdown text: folders end in a slash."""
    found: set[str] = set()
    for block in re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        folders: list[tuple[int, str]] = []
        for indent, name in re.findall(r"^( *)([\w.]\S*)(?:  .*)?$", block, re.MULTILINE):
            while folders and folders[-1][0] >= len(indent):
                folders.pop()
            path = (folders[-1][1] if folders else "") + name
            if name.endswith("/"):
                folders.append((len(indent), path))
            else:
                found.add(path)
    return found


# One-way imports, and what each room stays clear of.


def test_imports_go_one_way() -> None:
    allowed = {
        "bench": {"bench", "lsp_server", "engine", "grammars"},
        "lsp_server": {"lsp_server", "engine"},
        "engine": {"engine", "grammars"},
        "grammars": {"grammars"},
    }
    to_a_terminal = {"lsp_server/fill.py", "lsp_server/doctor.py"}  # the server itself never
    for room in ROOMS:
        for path in sources(room):
            extra = {"grammars"} if path in to_a_terminal else set[str]()
            extra |= {"bench"} if path == "lsp_server/cli.py" else set[str]()
            assert rooms_of(imports(path)) <= allowed[room] | extra, path


def test_grammars_are_reached_through_their_door() -> None:
    for path in sources("lsp_server", "engine"):
        inner = {m for m in imports(path) if m.startswith("grammars.") and m.count(".") > 1}
        assert not inner, path


def test_only_commands_train() -> None:
    for path in sources("lsp_server", "engine", "grammars"):
        if not path.startswith("engine/train/") and path != "lsp_server/cli.py":
            assert not [m for m in imports(path) if m.startswith("engine.train")], path


def test_only_the_language_server_speaks_lsp() -> None:
    for path in sources("engine", "grammars"):
        assert not {"lsprotocol", "pygls"} & {m.partition(".")[0] for m in imports(path)}, path


def test_the_language_server_starts_without_the_engine() -> None:
    heavy = ("torch", "numpy", "tree_sitter", "grammars", "httpx", "matplotlib")
    program = f"import sys, lsp_server.server; print(*sys.modules.keys() & set({heavy}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    declared = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in lines}
    wheels = packages_distributions()
    for path in sources(*ROOMS):
        tops = {module.partition(".")[0] for module in imports(path)}
        for top in tops - set(ROOMS) - sys.stdlib_module_names:
            name = top.replace("_", "-")
            names = wheels.get(top, [name, f"{name}-python"])  # an extra need not be installed
            spellings = {name.lower().replace("_", "-") for name in names}
            assert spellings & declared, f"{path} imports {top}"
    for language in LANGUAGES:
        assert language.wheel.replace("_", "-") in declared


# One place for each thing.


def test_positions_become_bytes_in_one_place() -> None:
    for path in sources("lsp_server"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and path != "lsp_server/positions.py":
                assert node.attr not in {"character", "splitlines"}, f"{path}:{node.lineno}"
        made = {name for name, _ in calls(tree(path))}
        assert "types.Position" not in made or path == "lsp_server/positions.py", path
        assert "types.Range" not in made or path == "lsp_server/render.py", path


def test_stdout_is_for_the_wire_and_for_commands() -> None:
    for path in sources(*ROOMS):
        if path in COMMANDS:
            continue
        called = {name for name, _ in calls(tree(path))}
        assert not called & {"print", "Console"}, path
        if path != "lsp_server/stdio.py":  # takes stdout for the wire
            names = {spelled(node) for node in ast.walk(tree(path))}
            assert "sys.stdout" not in names, path


def test_one_sampling_loop() -> None:
    loops: set[str] = set()
    for path in sources("engine"):
        for function in definitions(path):
            for loop in ast.walk(function):
                if isinstance(loop, Loop) and any(name == "look" for name, _ in calls(loop)):
                    loops.add(f"{path}: {function.name}")
    assert loops == {"engine/sampler.py: denoise"}


def test_a_denoiser_looks_at_canvases_for_the_engine_and_for_training() -> None:
    called = [(path, name) for path in sources("engine") for name, _ in calls(tree(path))]
    assert {path for path, name in called if ".denoise" in name} == {"engine/train/loss.py"}
    assert {path for path, name in called if name.endswith("inference.look")} == {"engine/look.py"}


def test_nothing_is_unpickled_and_no_foreign_code_is_run() -> None:
    for path in sources(*ROOMS):
        assert not {"pickle", "dill", "joblib", "shelve", "marshal"} & set(imports(path)), path
        for name, call in calls(tree(path)):
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert name not in {"eval", "exec", "os.system"}, path
            assert name != "torch.load" or given.get("weights_only") == "True", path
            assert not {"trust_remote_code", "allow_pickle", "shell"} & given.keys(), path


# Settings have one home; launchers pass them on.


def launchers() -> list[Path]:
    """Sources of the editors' plugins, without what npm installs and builds."""
    found = [
        p for p in (ROOT / "editors").rglob("*") if p.suffix in {".lua", ".ts", ".json", ".py"}
    ]
    return [p for p in found if not {"node_modules", "dist"} & set(p.parts)]


def test_launchers_hold_no_settings() -> None:
    names = {field.name for field in fields(Settings)}
    for path in launchers():
        if path.name == "package.json":
            continue  # has them all; the next test says from where
        assert not names & set(re.findall(r"\w+", path.read_text())), path


def test_vs_code_is_told_the_settings_there_are() -> None:
    script = ROOT / "editors/vscode/write_settings.py"
    written = runpy.run_path(str(script))
    package = json.loads((ROOT / "editors/vscode/package.json").read_text())
    before = json.dumps(package)
    assert json.dumps(written["with_settings"](package)) == before, f"run python {script.name}"


def test_pages_for_editors_name_settings_that_exist() -> None:
    names = {field.name for field in fields(Settings)}
    pages = list((ROOT / "editors").rglob("*.md"))
    assert pages
    for page in pages:
        for table in re.findall(r"settings = \{ (.*?) \},?\n", page.read_text()):
            assert set(re.findall(r"(\w+) =", table)) <= names, page


def test_neovims_help_is_what_the_plugin_says_of_itself() -> None:
    nvim = ROOT / "editors/nvim"
    written = runpy.run_path(str(nvim / "write_help.py"))
    text = (nvim / "doc/sfumato.txt").read_text()
    assert written["help_text"]() == text, "run python editors/nvim/write_help.py"
    assert max(map(len, text.splitlines())) <= 80
    commands = re.findall(
        r"^subcommands\.(\w+)", (nvim / "lua/sfumato/command.lua").read_text(), re.MULTILINE
    )
    maps = re.findall(r"^map\('([\w-]+)'", (nvim / "plugin/sfumato.lua").read_text(), re.MULTILINE)
    assert commands
    assert maps
    for name in commands:
        assert f"*:Sfumato-{name}*" in text
    for name in maps:
        assert f"*<Plug>(sfumato-{name})*" in text


def test_neovim_starts_the_server_for_the_languages_that_are_checked() -> None:
    text = (ROOT / "editors/nvim/lsp/sfumato.lua").read_text()
    listed = re.findall(r"'(\w+)',", text.partition("filetypes")[2].partition("}")[0])
    assert sorted(listed) == sorted(name for row in LANGUAGES for name in row.lsp_ids)


# Size, names and words.


@pytest.mark.parametrize("path", sources(*ROOMS, "tests"))
def test_files_and_functions_are_small(path: str) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= FILE_LINES
    for node in definitions(path):
        if isinstance(node, Function):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", sources(*ROOMS))
def test_what_is_public_is_described_and_annotated(path: str) -> None:
    assert ast.get_docstring(tree(path))
    for node in tree(path).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
    for node in definitions(path):
        if isinstance(node, Function):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [arg.arg for arg in every if arg.annotation is None]
            assert set(bare) <= {"self", "cls"}, f"{node.name}: {bare}"
            assert node.returns, f"{node.name} does not say what it returns"


def test_no_file_is_a_drawer() -> None:
    names = {Path(path).stem for path in sources(*ROOMS, "tests")}
    assert not names & {"utils", "util", "helpers", "common", "misc", "manager", "base"}


def test_no_file_tells_where_it_was_made() -> None:
    home = re.compile(r"(?<![\w.~}/])/(?:home|root|Users|mnt|work)/\w")
    kept = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if kept.returncode:
        pytest.skip("not a git work tree")
    for name in filter(None, kept.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".safetensors", ".png", ".u16"}:
            assert not home.search(path.read_text()), name


# The papers agree with the house.


def test_architecture_names_every_source_file_and_none_that_is_gone() -> None:
    listed = listed_files((ROOT / "ARCHITECTURE.md").read_text())
    rooms = {path for path in listed if path.startswith((*ROOMS, "editors", "tests/support"))}
    kept = {path.relative_to(ROOT).as_posix() for path in launchers()}
    assert rooms == {*sources(*ROOMS, "tests/support"), *kept}
    assert not [path for path in listed if not (ROOT / path).exists()]


def test_readme_names_nothing_that_is_gone() -> None:
    listed = listed_files((ROOT / "README.md").read_text())
    assert listed
    assert not [path for path in listed if not (ROOT / path).exists()]


def test_the_changelog_knows_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
