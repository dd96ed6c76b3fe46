"""A Ray cluster of one machine with tiny models, told on stdin what to do.

    deploy LEAST MOST FOLDER   serve the checkpoint in FOLDER
    kill                       end the process of one replica, without asking it
    count                      how many replicas there are

Each line is answered by one on stdout that begins with `>`, for Ray writes there too. It ends with
stdin.
"""

# pyright: reportMissingImports=false, reportUnknownParameterType=false
# Ray is an extra, and most of those who check types do without it.

import logging
import os
import sys

import psutil
import ray
from ray import serve

from engine.cluster import Replica, app
from engine.threads import PASSIVE_WAITING

APPLICATION = "sfumato"


def main(port: int) -> None:
    os.environ.update(PASSIVE_WAITING, RAY_USAGE_STATS_ENABLED="0")
    ray.init(
        num_cpus=8,  # as Ray counts them: it lets so many replicas share what there is
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    say("started")
    for line in sys.stdin:
        say(obey(*line.split()))
    serve.shutdown()
    ray.shutdown()


def say(answer: str) -> None:
    print(f"> {answer}", flush=True)


def obey(command: str, *words: str) -> str:
    if command == "deploy":
        least, most, model = words
        serve.run(app({"model": model, "least": least, "most": most}), name=APPLICATION)
        return "deployed"
    if command == "kill":
        replicas().pop().kill()
        return "killed"
    return str(len(replicas()))


def replicas() -> list[psutil.Process]:
    """Processes of replicas; Ray names them so."""
    title = f"ServeReplica:{APPLICATION}:{Replica.__name__}"
    return [p for p in psutil.process_iter() if any(title in word for word in cmdline(p))]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


if __name__ == "__main__":
    main(int(sys.argv[1]))
