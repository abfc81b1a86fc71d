"""What a search has found so far, on disk: one JSON file, replaced after every generation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from automoe.architecture import Architecture

SCHEMA_VERSION = 1

Generation = Mapping[Architecture, float | None]


class SearchStateError(ValueError):
    """A state that cannot be read, or that another search wrote."""


@dataclass(frozen=True, slots=True)
class SearchState:
    """The generations of one search.

    Attributes:
        path: The file.
        fingerprint: Identifies space, settings, supernet and predictor.
    """

    path: Path
    fingerprint: str

    def save(self, generations: Sequence[Generation]) -> None:
        """Replace the file at once or not at all."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "fingerprint": self.fingerprint,
            "generations": [
                [{"architecture": a.to_dict(), "fitness": fitness} for a, fitness in told.items()]
                for told in generations
            ],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(self.path)

    def load(self) -> list[dict[Architecture, float | None]]:
        """The generations saved; none when there is no file.

        Raises:
            SearchStateError: The file is damaged or another search wrote it.
        """
        if not self.path.exists():
            return []
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            written_by = content["fingerprint"]
            generations = [
                {Architecture.from_dict(x["architecture"]): _fitness(x["fitness"]) for x in told}
                for told in content["generations"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise SearchStateError(
                f"'{self.path}' is damaged ({error}). Delete it to search again."
            ) from None
        if written_by != self.fingerprint:
            raise SearchStateError(
                f"'{self.path}' belongs to a search with other settings, supernet or predictor. "
                "Choose another output, or delete it to search again."
            )
        return generations


def _fitness(value: object) -> float | None:
    if value is None or isinstance(value, (int, float)):
        return None if value is None else float(value)
    raise TypeError(f"a fitness is {value!r}")
