"""A folder that says where a server is, in the place of a checkpoint.

    endpoint.json    {"kind": "mercury", "key": "INCEPTION_API_KEY", ...}, an Endpoint

The user makes it, at the command line; a project's settings can at most name it. So no project that
is merely opened sends text, or a key, to a place of its own choice.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args
from urllib.parse import urlsplit

from engine.errors import CheckpointError
from engine.remote.templates import TEMPLATES, template_for

FILE = "endpoint.json"

Kind = Literal["mercury", "llama.cpp", "vllm", "sglang", "openai", "sfumato"]
"""What serves there.

mercury    Inception's, or another's /v1/fim/completions
llama.cpp  llama-server, by its /infill
vllm       /v1/completions, where this side writes the fill-in-the-middle prompt
sglang     the same; without a template, `suffix` is sent, for a server with --completion-template
openai     any /v1/completions that takes `suffix`
sfumato    `sfumato engine --listen`
"""

_USUAL: Mapping[str, Mapping[str, str]] = {
    "mercury": {
        "url": "https://api.inceptionlabs.ai",
        "model": "mercury-edit-2",
        "key": "INCEPTION_API_KEY",
    },
    "llama.cpp": {"url": "http://127.0.0.1:8080"},
    "vllm": {"url": "http://127.0.0.1:8000"},
    "sglang": {"url": "http://127.0.0.1:30000"},
}
"""Where a server of a kind is if nobody has moved it."""

_CONTEXT_BYTES = 24 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that fills holes.

    kind           what serves there
    url            scheme, host, port and what path the server lives below, without the final /v1
    model          what the server calls the model; "" where it has only one
    key            the name under which the environment or the keyring has the API key; "" for none
    template       the prompt, for servers that do not write it themselves: a name out of
                   `engine.remote.templates`, or a text with {prefix} and {suffix} in it
    context_bytes  sent at most, three quarters of them from in front of the hole
    """

    kind: Kind
    url: str
    model: str = ""
    key: str = ""
    template: str = ""
    context_bytes: int = _CONTEXT_BYTES

    @classmethod
    def usual(cls, kind: str, **given: str) -> Self:
        """A server of a kind where such servers are, but for what is given and not "".

        Raises CheckpointError, one sentence, where that is no endpoint.
        """
        filled = {name: value for name, value in given.items() if value}
        return cls.from_json({"kind": kind, **_USUAL.get(kind, {}), **filled})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the endpoint in a folder. Raises CheckpointError, one sentence."""
        try:
            return cls.from_json(json.loads((folder / FILE).read_bytes()))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder / FILE} cannot be read: {error}") from error
        except CheckpointError as error:
            raise CheckpointError(f"{folder / FILE}: {error}") from error

    @classmethod
    def from_json(cls, found: object) -> Self:
        """An endpoint from what a JSON object holds. Raises CheckpointError, one sentence."""
        if not isinstance(found, dict):
            raise CheckpointError(f"an endpoint is an object, not {found!r}")
        given = cast("dict[str, Any]", found)
        names = [each.name for each in fields(cls)]
        for name, value in given.items():
            wanted = int if name == "context_bytes" else str
            if name not in names:
                raise CheckpointError(f"an endpoint has no {name!r}, it has {', '.join(names)}")
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise CheckpointError(f"{name} should be of type {wanted.__name__}: {value!r}")
        several = given.get("kind") in {"mercury", "openai"}
        for name in ("kind", "url", *(["model"] if several else [])):
            if not given.get(name):
                raise CheckpointError(f"an endpoint needs a {name}")
        values: dict[str, Any] = {**given, "url": _trimmed(given["url"])}
        endpoint = cls(**values)
        endpoint.check()
        return endpoint

    def save(self, folder: Path) -> None:
        """Write it; the folder is made. Nothing in it is secret."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        model = f"{self.model} at " if self.model else ""
        key = f", with the key {self.key}" if self.key else ""
        return f"{self.kind}, {model}{self.url}{key}"

    @property
    def host(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.url).netloc

    def check(self) -> None:
        """Raises CheckpointError, one sentence that says what to mend."""
        if self.kind not in get_args(Kind):
            raise CheckpointError(f"there is no kind {self.kind!r}: {', '.join(get_args(Kind))}")
        if self.key and not _NAME.fullmatch(self.key):
            raise CheckpointError(
                "key should be the name of an environment variable, not the key itself"
            )
        if self.context_bytes < 1:
            raise CheckpointError(f"context_bytes should be positive, found {self.context_bytes}")
        self._check_url()
        self._check_template()

    @property
    def prompt_template(self) -> str:
        """The text that prefix and suffix are put into; "" where the server has its own."""
        if self.template:
            return TEMPLATES.get(self.template, self.template)
        return template_for(self.model) if self.kind == "vllm" else ""

    @property
    def is_local(self) -> bool:
        """Does what is sent stay on this machine?"""
        host = urlsplit(self.url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise CheckpointError(f"url should be http(s)://HOST[:PORT][/PATH], found {self.url!r}")
        if "@" in self.host:
            raise CheckpointError("url holds a password: store it under a name, and give that")
        if self.key and not self.is_local and self.url.startswith("http:"):
            raise CheckpointError(f"{self.key} would cross the network in the clear: use https")

    def _check_template(self) -> None:
        known = ", ".join(TEMPLATES)
        if self.template and self.template not in TEMPLATES and "{prefix}" not in self.template:
            raise CheckpointError(
                f"there is no template {self.template!r}: name one of {known},"
                " or give a text with {prefix} and {suffix}"
            )
        if self.kind == "vllm" and not self.prompt_template:
            raise CheckpointError(
                f"how {self.model or 'the model'} is asked to fill a hole is not known:"
                f" name a template, {known}, or give a text with {{prefix}} and {{suffix}}"
            )


def is_in(folder: Path) -> bool:
    """Whether a folder holds an endpoint, and no checkpoint."""
    return (folder / FILE).exists()


def _trimmed(url: str) -> str:
    """As people write it, without what every request adds."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
