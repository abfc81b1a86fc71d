"""Fitness values on disk: one line per evaluation, so that none is lost or computed twice."""

import json
import os
from pathlib import Path


class FitnessCache:
    """What was evaluated, by the content of the architecture and of what it was evaluated with.

    A line that a killed process left unfinished is dropped; so is one that is no entry.

    Args:
        path: JSON lines, appended to; None keeps the values in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, str], float] = {}
        if path is not None and path.exists():
            lines = path.read_bytes().split(b"\n")
            if lines[-1]:
                path.write_bytes(b"\n".join(lines[:-1]) + b"\n" if lines[:-1] else b"")
            for line in lines[:-1]:
                self._read(line)

    def get(self, fitness: str, architecture_id: str) -> float | None:
        """The value known; None when it has to be computed.

        Args:
            fitness: Tells one fitness from another, such as the digest of a supernet.
            architecture_id: What it is the fitness of.
        """
        return self._known.get((fitness, architecture_id))

    def put(self, fitness: str, architecture_id: str, value: float) -> None:
        """Remember a value; it is on disk when this returns."""
        self._known[fitness, architecture_id] = value
        if self._path is None:
            return
        entry = {"fitness": fitness, "architecture": architecture_id, "value": value}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self._known[entry["fitness"], entry["architecture"]] = float(entry["value"])
        except (KeyError, TypeError, ValueError):
            return
