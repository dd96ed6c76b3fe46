"""API keys: in the environment or in the system's keyring, under a name that the user chose."""

import importlib
import os

from engine.errors import EndpointError

KEYRING_SERVICE = "sfumato"


def find_key(name: str) -> str:
    """The key of that name, "" for no name.

    The environment comes first; then, where the `keyring` package is installed, the system's
    keyring, in which `keyring set sfumato NAME` puts one.

    Raises EndpointError, one sentence, where there is none or it cannot be one.
    """
    if not name:
        return ""
    key = (os.environ.get(name) or _from_keyring(name)).strip()
    if not key:
        raise EndpointError(
            f"The API key {name} is neither in the environment nor in the keyring:"
            f" set the variable, or run `keyring set {KEYRING_SERVICE} {name}`."
        )
    if not (key.isascii() and key.isprintable()):
        raise EndpointError(f"What {name} holds is no API key: not all of it is printable ASCII.")
    return key


def _from_keyring(name: str) -> str:
    """Its key; an empty one where the package, a backend or an entry is missing."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return ""
    try:
        return keyring.get_password(KEYRING_SERVICE, name) or ""
    except keyring.errors.NoKeyringError:
        return ""
    except Exception as error:  # each backend has its own
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise EndpointError(
            f"The API key {name} is not in the environment, and the keyring does not give it"
            f" ({reason:.200})."
        ) from error
