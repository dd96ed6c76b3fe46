"""Run by `sandbox` in fresh name spaces: shuts the file system, sets limits, becomes the program.

Standard input is JSON: the program's text and what it shall read.
"""

import ctypes
import json
import os
import resource
import sys

_MOUNT_SETATTR = 442  # the same on every architecture; Linux 5.12
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 1


def _mount_read_only(libc: ctypes.CDLL) -> None:
    """Make every mount of this name space read-only, however it was mounted."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _check(libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, attributes, size))
    _check(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, b"size=16m"))


def _check(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main() -> None:
    """Never returns: the program takes the place of this one."""
    program, stdin = json.load(sys.stdin)
    _mount_read_only(ctypes.CDLL(None, use_errno=True))
    os.chdir("/tmp")  # noqa: S108
    for name, text in (("program.py", program), ("stdin", stdin)):
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    os.dup2(os.open("stdin", os.O_RDONLY), 0)
    for limit, most in json.loads(sys.argv[1]).items():
        resource.setrlimit(getattr(resource, limit), (most, most))
    os.execve(sys.executable, [sys.executable, "-I", "program.py"], {"PATH": os.defpath})  # noqa: S606


if __name__ == "__main__":
    main()
