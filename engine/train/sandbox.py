"""Runs a program that nobody has read: no network, little time and memory, nothing to write to.

On Linux the program gets name spaces of its own through `unshare` of util-linux: a network with
nothing on it, no other process to reach, and every file system read-only but an empty one of 16 MB.
Where that cannot be had, nothing is run.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TIME_S = 10
_LIMITS = {
    "RLIMIT_CPU": TIME_S,
    "RLIMIT_AS": 1 << 30,
    "RLIMIT_FSIZE": 1 << 20,
    "RLIMIT_NPROC": 64,
    "RLIMIT_CORE": 0,
}
_NAMESPACES = ("--user", "--map-root-user", "--net", "--ipc", "--mount", "--pid", "--fork")
_JAIL = Path(__file__).with_name("jail.py")


def refusal() -> str | None:
    """Why programs cannot be shut in on this machine, in one sentence, or None."""
    if not shutil.which("unshare"):
        return "tests are not run: this system has no unshare to keep them from network and files"
    if output("print(1)", "") != "1\n":
        return "tests are not run: this system does not let a user make name spaces to shut them in"
    return None


def output(program: str, stdin: str) -> str | None:
    """What a Python program prints; None when it fails, is killed or takes too long."""
    jail = [sys.executable, "-I", str(_JAIL), json.dumps(_LIMITS)]
    try:
        done = subprocess.run(
            ["unshare", *_NAMESPACES, "--kill-child", *jail],
            input=json.dumps([program, stdin]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=2 * TIME_S,
            check=False,
            env={"PATH": os.defpath},
            start_new_session=True,  # a process group reaches beyond its name space
        )
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else done.stdout.decode(errors="replace")
