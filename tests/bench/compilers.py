"""The languages' own parsers, as judges of whole files: what the gate is measured against.

Each takes many files at once, because starting a compiler costs more than parsing. A judge whose
program is not installed raises FileNotFoundError. TypeScript is looked for where NODE_PATH says,
headers of C and C++ where CPATH says.
"""

import ast
import json
import re
import subprocess
import tempfile
import tomllib
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Verdict = bool | None
"""Is a text valid? None: the judge cannot tell."""

Judge = Callable[[Sequence[bytes]], Sequence[Verdict]]
"""Texts -> whether each is valid."""

_NODE = """
const fs = require('fs'), vm = require('vm');
for (const file of process.argv.slice(2)) {
  const text = fs.readFileSync(file, 'utf8');
  let valid = false;
  try { new vm.SourceTextModule(text); valid = true; } catch { }
  if (!valid) try { vm.compileFunction(text); valid = true; } catch { }
  console.log(valid ? 1 : 0);
}
"""
_TYPESCRIPT = """
const fs = require('fs'), ts = require('typescript');
for (const file of process.argv.slice(2)) {
  const text = fs.readFileSync(file, 'utf8');
  const kind = file.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false, kind);
  console.log(tree.parseDiagnostics.length ? 0 : 1);
}
"""
_JAVA = """
import com.sun.source.util.JavacTask;
import java.nio.file.*;
import java.util.List;
import javax.tools.*;

public class Judge {
  public static void main(String[] files) throws Exception {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null);
    for (String file : files) {
      DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
      var units = manager.getJavaFileObjects(Path.of(file));
      ((JavacTask) compiler.getTask(null, manager, found, null, null, units)).parse();
      boolean valid = found.getDiagnostics().stream()
          .noneMatch(d -> d.getKind() == Diagnostic.Kind.ERROR);
      System.out.println(valid ? 1 : 0);
    }
  }
}
"""
# What gcc says of syntax, and what it says of names. A name that it takes for no type, as when a
# header is missing, makes it expect something else on the same line.
_GCC_ERROR = re.compile(r"^[^:\n]*:(\d+):\d+: (?:fatal )?error: (.*)$", re.MULTILINE)
_GCC_SYNTAX = re.compile(
    r"\b(?:expected|expects|stray|missing|terminat|unterminated|without|extra tokens|garbage|empty"
    r"|preprocessing directive|macro name|operator .* has no|two or more data types|invalid suffix"
    r"|unbalanced|too many decimal|no digits)"
)
_GCC_NAME = re.compile(r"undeclared|unknown type|not declared|does not name|not been declared")
_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include[ \t]*(<[^>\n]*>|\"[^\"\n]*\").*$", re.MULTILINE)


def python(texts: Sequence[bytes]) -> list[bool]:
    """CPython's own parser, the one that runs this."""

    def valid(text: bytes) -> bool:
        try:
            ast.parse(text.decode("utf-8-sig"))
        except (SyntaxError, ValueError):
            return False
        return True

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [valid(text) for text in texts]


def toml(texts: Sequence[bytes]) -> list[bool]:
    """Python's tomllib."""
    return [_loads(tomllib.loads, text) for text in texts]


def json_(texts: Sequence[bytes]) -> list[bool]:
    """Python's json."""
    return [_loads(json.loads, text) for text in texts]


def _loads(load: Callable[[str], object], text: bytes) -> bool:
    try:
        load(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _batch(command: list[str], suffix: str, program: tuple[str, str] | None = None) -> Judge:
    """A judge that is one process for all files, and prints 1 or 0 for each in turn."""

    def judge(texts: Sequence[bytes]) -> list[bool]:
        with tempfile.TemporaryDirectory() as folder:
            files = _written(texts, folder, suffix)
            given = list(command)
            if program:
                script = Path(folder, program[0])
                script.write_text(program[1])
                given.append(str(script))
            ran = subprocess.run([*given, *files], capture_output=True, text=True, check=True)
        verdicts = [line == "1" for line in ran.stdout.split()]
        if len(verdicts) != len(texts):
            raise RuntimeError(f"{command[0]} judged {len(verdicts)} of {len(texts)} files")
        return verdicts

    return judge


def _each(
    command: list[str], suffix: str, verdict: Callable[[subprocess.CompletedProcess[str]], Verdict]
) -> Judge:
    """A judge that is one process per file."""

    def valid(file: str) -> Verdict:
        ran = subprocess.run(
            [*command, file], capture_output=True, text=True, errors="replace", check=False
        )
        return verdict(ran)

    def judge(texts: Sequence[bytes]) -> list[Verdict]:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
            return list(pool.map(valid, _written(texts, folder, suffix)))

    return judge


def _written(texts: Sequence[bytes], folder: str, suffix: str) -> list[str]:
    files = [Path(folder, f"f{index}{suffix}") for index in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text)
    return [str(file) for file in files]


def _ended_well(ran: subprocess.CompletedProcess[str]) -> bool:
    return ran.returncode == 0


def _gcc(ran: subprocess.CompletedProcess[str]) -> Verdict:
    """What gcc says of syntax; None where it has only names and types to complain of."""
    errors = _GCC_ERROR.findall(ran.stderr)
    wrong = {line for line, message in errors if _GCC_SYNTAX.search(message)}
    names = {line for line, message in errors if _GCC_NAME.search(message)}
    return True if ran.returncode == 0 else None if wrong <= names else False


def _with_headers_at_hand(judge: Judge) -> Judge:
    """Includes only what is there: a missing header ends gcc's reading."""
    found = rb"#if __has_include(\1)\n#include \1\n#endif"
    return lambda texts: judge([_INCLUDE.sub(found, text) for text in texts])


# The parser alone is a flag of the nightly compiler, which this variable makes of a stable one.
_RUSTC = ["env", "RUSTC_BOOTSTRAP=1", "rustc", "-Zparse-crate-root-only", "--edition=2021"]
_GCC = ["-fsyntax-only", "-w", "-fmax-errors=0", "-fno-diagnostics-color"]

JUDGES: dict[str, Judge] = {
    "python": python,
    "javascript": _batch(
        ["node", "--no-warnings", "--experimental-vm-modules"], ".js", ("judge.js", _NODE)
    ),
    "typescript": _batch(["node"], ".ts", ("judge.js", _TYPESCRIPT)),
    "tsx": _batch(["node"], ".tsx", ("judge.js", _TYPESCRIPT)),
    "go": _each(["gofmt", "-e"], ".go", _ended_well),
    "rust": _each(_RUSTC, ".rs", _ended_well),
    "java": _batch(["java"], ".java", ("Judge.java", _JAVA)),
    "c": _with_headers_at_hand(_each(["gcc", *_GCC], ".c", _gcc)),
    "cpp": _with_headers_at_hand(_each(["g++", *_GCC, "-std=c++20"], ".cc", _gcc)),
    "ruby": _each(["ruby", "-c"], ".rb", _ended_well),
    "php": _each(["php", "-l"], ".php", _ended_well),
    "bash": _each(["bash", "-n"], ".sh", _ended_well),
    "lua": _each(["luac5.4", "-p"], ".lua", _ended_well),
    "toml": toml,
    "json": json_,
}
