"""Fitness values on disk: one line per evaluation, so that none is lost or computed twice."""

from pathlib import Path

from devices.files import append_line, read_lines


class FitnessCache:
    """What was evaluated, by the content of the architecture and of what it was evaluated with.

    A line that is no entry is passed over.

    Args:
        path: JSON lines, which several searches may append to; None keeps the values in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, str], float] = {}
        for entry in [] if path is None else read_lines(path):
            try:
                self._known[entry["fitness"], entry["architecture"]] = float(entry["value"])
            except (KeyError, TypeError, ValueError):
                continue

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
        if self._path is not None:
            entry = {"fitness": fitness, "architecture": architecture_id, "value": value}
            append_line(self._path, entry)
