"""Keep fitness values on disk, one line for each, so that none is lost or computed twice."""

from pathlib import Path

from devices.files import append_line, read_lines


class FitnessCache:
    """The fitness values that are known, by the digests of fitness and architecture.

    A line that is not an entry is skipped.

    Args:
        path: The file of JSON lines, to which several searches may append; None keeps the values
            in memory.
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
        """Return the value that is known; None when it has to be computed.

        Args:
            fitness: The digest of the fitness.
            architecture_id: The id of the architecture.
        """
        return self._known.get((fitness, architecture_id))

    def put(self, fitness: str, architecture_id: str, value: float) -> None:
        """Keep a value. It is on disk when this returns."""
        self._known[fitness, architecture_id] = value
        if self._path is not None:
            entry = {"fitness": fitness, "architecture": architecture_id, "value": value}
            append_line(self._path, entry)
