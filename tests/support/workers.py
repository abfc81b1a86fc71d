"""Requests to a worker in this process, and workloads whose times are known."""

import json
from pathlib import Path
from typing import Any

from profilers.workers.program.worker import Worker


def ask(worker: Worker, op: str, **fields: Any) -> dict[str, Any]:
    """The answer to a request, through JSON as over the pipes."""
    reply = worker.answer(json.dumps({"op": op, **fields}).encode())
    return dict(json.loads(json.dumps(reply)))


def load(worker: Worker, path: Path, **fields: Any) -> dict[str, Any]:
    """The answer to the request to load a workload, with the id "w" and one thread."""
    return ask(worker, "load", id="w", workload=str(path), threads=1, **fields)


class TimedWorkload:
    """Stands for a loaded workload; its samples take the given times, and the last for ever."""

    def __init__(self, *walls_ms: float) -> None:
        self.walls_ms = list(walls_ms)
        self.n_runs = 0

    def sample(self) -> dict[str, float]:
        """The next time."""
        self.n_runs += 1
        wall_ms = self.walls_ms[0]
        self.walls_ms = self.walls_ms[1:] or self.walls_ms
        return {"wall_ms": wall_ms}
