"""So many people typing at a server at once: how long do they wait, and is anything lost?

    python tests/bench/typists.py http://127.0.0.1:8012 FILE... [--typists 64] [--seconds 60]

Each types the end of one of the files anew, at 240 ms a key in the mean (Dhakal et al. 2018,
"Observations on Typing from 136 Million Keystrokes") with a log-normal spread, stops to think for
seconds at the end of a line, and asks for a suggestion as editors do: when no key came for 75 ms
after the last one, giving up the older request when the next key comes. Keys for the server are
read from SFUMATO_API_KEYS and shared out.
"""

import argparse
import asyncio
import math
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

KEY_S, SPREAD = 0.240, 0.45
"""Mean time from key to key, and the standard deviation of its logarithm."""
THINK_S = 2.0
DEBOUNCE_S = 0.075
HEAD = 0.6
"""Share of a file that is there when the typing begins."""


@dataclass
class Figures:
    """What came of all requests."""

    waits_s: list[float] = field(default_factory=list[float])
    outcomes: Counter[str] = field(default_factory=Counter[str])

    def text(self) -> str:
        waits = sorted(self.waits_s) or [math.nan]
        at = {share: waits[min(int(share * len(waits)), len(waits) - 1)] for share in (0.5, 0.95)}
        counts = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        return f"answered: median {at[0.5] * 1000:.0f} ms, p95 {at[0.95] * 1000:.0f} ms; {counts}"


async def type_on(
    http: httpx.AsyncClient, key: str, text: str, figures: Figures, rng: random.Random
) -> None:
    """Type until cancelled."""
    start = place = int(len(text) * HEAD)
    asking: asyncio.Task[None] | None = None
    try:
        while True:
            pause_s = rng.lognormvariate(math.log(KEY_S) - SPREAD**2 / 2, SPREAD)
            pause_s += rng.expovariate(1 / THINK_S) if text[place - 1] == "\n" else 0
            if pause_s > DEBOUNCE_S:
                await asyncio.sleep(DEBOUNCE_S)
                body = {"prompt": text[:place], "suffix": text[place:]}
                asking = asyncio.create_task(ask(http, key, body, figures))
                pause_s -= DEBOUNCE_S
            await asyncio.sleep(pause_s)
            if asking and not asking.done():
                asking.cancel()
                figures.outcomes["given up for the next key"] += 1
            place = place + 1 if place < len(text) else start
    finally:
        if asking:
            asking.cancel()


async def ask(http: httpx.AsyncClient, key: str, body: dict[str, str], figures: Figures) -> None:
    began_s = time.monotonic()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = await http.post(
            "/v1/completions",
            json={"model": "any", "max_tokens": 32, "stop": ["\n"], **body},
            headers=headers,
        )
    except httpx.HTTPError as error:
        figures.outcomes[f"lost ({type(error).__name__})"] += 1
        return
    figures.outcomes["answered" if reply.is_success else f"status {reply.status_code}"] += 1
    if reply.is_success:
        figures.waits_s.append(time.monotonic() - began_s)


async def measure(url: str, texts: list[str], typists: int, seconds: float) -> Figures:
    """All of them at once, for so long."""
    keys = [entry.partition(":")[2] for entry in os.environ.get("SFUMATO_API_KEYS", "").split()]
    figures = Figures()
    limits = httpx.Limits(max_connections=typists * 2)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as http:
        typing = [
            asyncio.create_task(
                type_on(
                    http,
                    keys[number % len(keys)] if keys else "",
                    texts[number % len(texts)],
                    figures,
                    random.Random(number),
                )
            )
            for number in range(typists)
        ]
        await asyncio.sleep(seconds)
        for one in typing:
            one.cancel()
        await asyncio.gather(*typing, return_exceptions=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="People typing at a server at once.")
    parser.add_argument("url")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--typists", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    texts = [path.read_text() for path in options.files]
    figures = asyncio.run(measure(options.url, texts, options.typists, options.seconds))
    print(f"{options.typists} typists, {options.seconds:g} s: {figures.text()}")


if __name__ == "__main__":
    main()
