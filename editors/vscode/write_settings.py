"""Writes the server's settings and the languages that have a grammar into package.json.

    .venv/bin/python editors/vscode/write_settings.py

tests/test_tidy.py fails while the two differ.
"""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from grammars.languages import LANGUAGES
from lsp_server.settings import NUMBERS, Settings, descriptions

PACKAGE = Path(__file__).with_name("package.json")

Property = dict[str, Any]


def properties() -> dict[str, Property]:
    """The settings as VS Code wants them: JSON Schemas by name."""
    texts = descriptions()
    made: dict[str, Property] = {}
    for field in fields(Settings):
        spelled = re.sub(r"_(\w)", lambda mark: mark[1].upper(), field.name)
        schema = _schema(field.name, field.default)
        made[f"sfumato.{spelled}"] = {
            **schema,
            "description": texts[field.name],
            "scope": "resource",
        }
    return made


def _schema(name: str, default: object) -> Property:
    if isinstance(default, bool):
        return {"type": "boolean", "default": default}
    if isinstance(default, tuple):
        return {"type": "array", "items": {"type": "string"}, "default": list(default)}
    if isinstance(default, str):
        return {"type": "string", "default": default}
    least, greatest = NUMBERS[name]
    kind = ["integer", "null"] if default is None else "integer"
    return {"type": kind, "minimum": least, "maximum": greatest, "default": default}


def with_settings(package: Property) -> Property:
    """A package.json with languages and the server's settings as they should be."""
    names = sorted(name for row in LANGUAGES for name in row.lsp_ids)
    package["activationEvents"] = [f"onLanguage:{name}" for name in names]
    for section in package["contributes"]["configuration"]:
        if section["title"] == "Suggestions":
            section["properties"] = properties()
    return package


if __name__ == "__main__":
    text = json.dumps(with_settings(json.loads(PACKAGE.read_text())), indent=2)
    PACKAGE.write_text(text + "\n")
