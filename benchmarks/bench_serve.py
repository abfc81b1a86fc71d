"""Claim: at 70 % of its capacity a server answers nearly every request about as fast as most.

    python benchmarks/bench_serve.py MODEL [--minutes 10] [--load 0.7] [--threads 1] [--beam 4]

`automoe serve` translates single sentences of the text of this package, or of `--text`. First
`--clients` clients each send the next sentence when they have the translation of the one before
(closed loop), for `--capacity-s` seconds; what is translated in a second is the capacity. Then
sentences are sent at random times (Poisson), whether or not others are answered (open loop), at
`--load` of the capacity for `--minutes`. A latency is the time from the moment at which a
sentence was due to its translation; `late_p99_ms` says how late this program itself sent them.
`refused` counts answers with 429, `failed` all other requests without a translation. One JSON
line is printed.
"""

import argparse
import asyncio
import json
import platform
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import httpx
import numpy as np

import automoe

TEXT = Path(automoe.__file__).parent / "text/en_de_small/test.en"
_WARM_UP_S = 3.0
_TIMEOUT_S = 120.0


@dataclass
class Answers:
    """What came back.

    Attributes:
        latencies_ms: The latency of each translation.
        late_ms: How late each request was sent.
        refused: The number of answers with 429.
        failed: The number of requests without another answer than an error.
    """

    latencies_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0


@contextmanager
def server(model: Path, *, threads: int, beam: int) -> Iterator[str]:
    """Start a server on a free port, yield its URL, and end it."""
    words = [sys.executable, "-m", "automoe", "serve", str(model), "--port", "0"]
    words += ["--threads", str(threads), "--beam", str(beam)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = process.stdout.readline() if process.stdout else ""
            found = re.match(r"Ready: (\S+)", ready)
            if found is None:
                raise SystemExit("The server did not start.")
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


async def ask(client: httpx.AsyncClient, sentence: str, due_s: float, answers: Answers) -> None:
    """Send a sentence and note what comes back."""
    answers.late_ms.append(1000 * (perf_counter() - due_s))
    try:
        answer = await client.post("/translate", json={"text": sentence})
    except httpx.HTTPError:
        answers.failed += 1
        return
    if answer.status_code == 200:
        answers.latencies_ms.append(1000 * (perf_counter() - due_s))
    elif answer.status_code == 429:
        answers.refused += 1
    else:
        answers.failed += 1


async def closed_loop(
    client: httpx.AsyncClient, sentences: list[str], *, clients: int, seconds: float
) -> float:
    """Return the translations in a second when each client always waits for one."""
    drawn = random.Random(0)
    end_s = perf_counter() + seconds
    answers = Answers()

    async def one_after_another() -> None:
        while (now_s := perf_counter()) < end_s:
            await ask(client, drawn.choice(sentences), now_s, answers)

    start_s = perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(clients)))
    if answers.refused or answers.failed:
        raise SystemExit(f"{answers.refused} refused and {answers.failed} failed; fewer --clients.")
    return len(answers.latencies_ms) / (perf_counter() - start_s)


async def open_loop(
    client: httpx.AsyncClient, sentences: list[str], *, per_s: float, seconds: float, seed: int
) -> Answers:
    """Send sentences at random times, and return what came back."""
    drawn = random.Random(seed)
    answers = Answers()
    start_s = due_s = perf_counter()
    async with asyncio.TaskGroup() as tasks:
        while (due_s := due_s + drawn.expovariate(per_s)) < start_s + seconds:
            await asyncio.sleep(max(0.0, due_s - perf_counter()))
            tasks.create_task(ask(client, drawn.choice(sentences), due_s, answers))
    return answers


async def readable(client: httpx.AsyncClient, sentences: list[str]) -> list[str]:
    """Return the sentences that the model can read."""
    kept = []
    for sentence in sentences:
        answer = await client.post("/translate", json={"text": sentence})
        if answer.status_code != 422:
            kept.append(sentence)
    return kept


async def measured(url: str, sentences: list[str], given: argparse.Namespace) -> dict[str, object]:
    """Return the line to print."""
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, limits=unlimited) as client:
        sentences = await readable(client, sentences)
        await closed_loop(client, sentences, clients=given.clients, seconds=_WARM_UP_S)
        capacity = await closed_loop(
            client, sentences, clients=given.clients, seconds=given.capacity_s
        )
        answers = await open_loop(
            client,
            sentences,
            per_s=given.load * capacity,
            seconds=60 * given.minutes,
            seed=given.seed,
        )
    p50, p95, p99 = np.quantile(answers.latencies_ms, [0.5, 0.95, 0.99])
    return {
        "capacity_per_s": round(capacity, 2),
        "load": given.load,
        "minutes": given.minutes,
        "sent": len(answers.late_ms),
        "p50_ms": round(p50, 2),
        "p95_ms": round(p95, 2),
        "p99_ms": round(p99, 2),
        "p99_over_p50": round(p99 / p50, 3),
        "refused": answers.refused,
        "failed": answers.failed,
        "late_p99_ms": round(float(np.quantile(answers.late_ms, 0.99)), 2),
        "beam": given.beam,
        "threads": given.threads,
        "clients": given.clients,
        "processor": platform.processor() or platform.machine(),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--load", type=float, default=0.7)
    parser.add_argument("--capacity-s", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--text", type=Path, default=TEXT, help="a sentence on each line")
    parser.add_argument("--sentences", type=int, default=300, help="how many of them are used")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lines = given.text.read_text(encoding="utf-8").splitlines()
    with server(given.model, threads=given.threads, beam=given.beam) as url:
        line = asyncio.run(measured(url, lines[: given.sentences], given))
    print(json.dumps({"model": given.model.name, **line}))


if __name__ == "__main__":
    main()
