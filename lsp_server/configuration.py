"""The settings in force: what the editor sent, or what it is asked for, folder by folder."""

from collections.abc import Sequence
from dataclasses import replace

from lsp_server.context import file_name
from lsp_server.settings import Parsed, Settings, parse


class Configuration:
    """Settings of a session, some of them its folders' own.

    Three layers: the defaults, initializationOptions, and either what didChangeConfiguration
    brought or, where the client can be asked, what it answered.
    """

    def __init__(self) -> None:
        self._initial = Settings()
        self.general = self._initial
        self._folders: dict[str, Settings] = {}
        self._questions = 0

    def begin(self, raw: object) -> Parsed:
        """Take initializationOptions."""
        parsed = parse(raw, Settings())
        self._initial = self.general = parsed.settings
        return parsed

    def push(self, raw: object) -> Parsed:
        """Take what a client that cannot be asked has sent: all of it, as clients do."""
        parsed = parse(raw, self._initial)
        self.general = parsed.settings
        return parsed

    def question(self) -> int:
        """The number of a new question to the client; it makes the earlier ones void."""
        self._questions += 1
        return self._questions

    def answer(
        self, question: int, general: object, folders: Sequence[tuple[str, object]]
    ) -> list[Parsed]:
        """Take a client's answers: for no folder in particular, and for each folder by its URI.

        Nothing happens, and nothing is returned, if it was asked again since.
        """
        if question != self._questions:
            return []
        parsed = parse(general, self._initial)
        self.general = parsed.settings
        own = {uri: parse(raw, parsed.settings) for uri, raw in folders}
        self._folders = {uri: each.settings for uri, each in own.items()}
        return [parsed, *(_of_folder(uri, each, parsed) for uri, each in own.items())]

    def of(self, uri: str) -> Settings:
        """The settings for a document: those of the innermost folder that it is in."""
        inside = [folder for folder in self._folders if uri.startswith(folder.rstrip("/") + "/")]
        return self._folders[max(inside, key=len)] if inside else self.general


def _of_folder(uri: str, own: Parsed, general: Parsed) -> Parsed:
    """What is wrong in a folder alone, with the folder's name."""
    name = file_name(uri).rstrip("/").rpartition("/")[2]
    wrong = (each for each in own.wrong if each not in general.wrong)
    return replace(own, wrong=tuple(f"In the folder {name}: {each}" for each in wrong))
