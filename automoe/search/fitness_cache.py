"""Fitness values on disk: one line per evaluation, so that none is lost or computed twice."""

import json
import os
from pathlib import Path


class FitnessCache:
    """What was evaluated, by the content of the architecture and of what it was evaluated with.

    A line that a killed process left unfinished is passed over; so is one that is no entry.

    Args:
        path: JSON lines, appended to; None keeps the values in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, str], float] = {}
        if path is not None and path.exists():
            for line in path.read_bytes().split(b"\n"):
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
            # What was cut short before stays on a line of its own: another search may append too.
            file.write(b"\n" + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self._known[entry["fitness"], entry["architecture"]] = float(entry["value"])
        except (KeyError, TypeError, ValueError):
            return
