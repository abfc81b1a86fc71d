"""What a search has found so far, on disk: a line per generation, appended when it is over."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from devices.files import append_line, held

SCHEMA_VERSION = 2

Generation = Mapping[Architecture, float | None]


class RoundKind(StrEnum):
    """How the candidates that a round measures were chosen."""

    FIRST = "first search"
    SEARCHED_ON = "searched on"  # with what the device said of earlier candidates
    NEAREST = "nearest to the budget"  # where nothing is predicted to fit any more


class SearchStateError(ValueError):
    """A state that cannot be read, or that another search wrote."""


@dataclass(frozen=True, slots=True)
class SearchState:
    """The generations of one search.

    Attributes:
        path: The file, JSON lines: what wrote it, then the generations.
        fingerprint: Identifies space, settings, supernet and predictor.
        kind: The round that these generations are of, written at the head of the file.
    """

    path: Path
    fingerprint: str
    kind: RoundKind = RoundKind.FIRST

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep another search out while this one goes on from the state.

        Raises:
            SearchStateError: Another search has it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        refusal = SearchStateError(
            f"'{self.path}' is being written by another search. Wait for it to end, or choose "
            "another output."
        )
        # A search holds what its rounds hold as well.
        with held(self.path.with_name(f"{self.path.name}.lock"), refusal, is_singleton=True):
            yield

    def append(self, generation: Generation) -> None:
        """Keep one more generation; it is on disk when this returns."""
        told = [{"architecture": a.to_dict(), "fitness": x} for a, x in generation.items()]
        if not self.path.exists():
            self.begin(self.kind)
        append_line(self.path, told)

    def begin(self, kind: RoundKind) -> None:
        """Write the head of a new file, which says what kind of round it is of."""
        header = {"schema_version": SCHEMA_VERSION, "fingerprint": self.fingerprint, "round": kind}
        append_line(self.path, header)

    def begun(self) -> RoundKind | None:
        """Return the kind of the round that the file says has begun; None when there is no file.

        Release 0.1.0 wrote no kind, and an empty generation where nothing is predicted to fit:
        it counts as a search that goes on, which finds again that nothing is.

        Raises:
            SearchStateError: The file is damaged or another search wrote it.
        """
        read = self._read()
        return None if read is None else read[0]

    def of_round(self, n: int, measured_ms: Mapping[Architecture, float]) -> "SearchState":
        """Return the state of a later round, which begins from measurements.

        What a round that began from others left there is removed: it is no part of this search.

        Args:
            n: The round, from 1.
            measured_ms: What was known of the device when it began.
        """
        known = sorted((a.id, ms) for a, ms in measured_ms.items())
        digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
        path = self.path.with_name(f"{self.path.stem}{n}{self.path.suffix}")
        state = SearchState(path, f"{self.fingerprint} {digest}", RoundKind.SEARCHED_ON)
        try:
            state.load()
        except SearchStateError:
            path.unlink()
        return state

    def load(self) -> list[dict[Architecture, float | None]]:
        """Return the generations kept; none when there is no file.

        A line that a killed search left unfinished is taken off the file.

        Raises:
            SearchStateError: The file is damaged or another search wrote it.
        """
        read = self._read()
        return [] if read is None else read[1]

    def _read(self) -> tuple[RoundKind, list[dict[Architecture, float | None]]] | None:
        """Return the round's kind and the generations; None when there is no file."""
        complete = self._complete_lines()
        if not complete:
            return None
        try:
            header, *lines = map(json.loads, complete)
            version, written_by = header["schema_version"], header["fingerprint"]
            kind = RoundKind(header.get("round", self.kind))
            generations = [dict(map(_evaluated, told)) for told in lines]
        except (KeyError, TypeError, ValueError) as error:
            raise SearchStateError(f"'{self.path}' is damaged ({error}). {self._remedy}") from None
        if version != SCHEMA_VERSION:
            raise SearchStateError(
                f"'{self.path}' has layout {version}, and this release reads {SCHEMA_VERSION}. "
                f"{self._remedy}"
            )
        if written_by != self.fingerprint:
            raise SearchStateError(
                f"'{self.path}' belongs to a search with other settings, objective, text, "
                f"supernet or predictor. {self._remedy}"
            )
        return kind, generations

    def _complete_lines(self) -> list[bytes]:
        """Return the lines of the file without an unfinished one, which is taken off it."""
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        complete = content[: content.rfind(b"\n") + 1]
        if complete != content:
            os.truncate(self.path, len(complete))
        if not complete:
            self.path.unlink()
        return complete.splitlines()

    @property
    def _remedy(self) -> str:
        return (
            "Choose another output; or, to search again, delete it and the files of the "
            "verification beside it."
        )


def _evaluated(entry: Mapping[str, Any]) -> tuple[Architecture, float | None]:
    fitness = None if entry["fitness"] is None else float(entry["fitness"])
    if fitness is not None and not math.isfinite(fitness):
        raise ValueError(f"a fitness is {fitness}")
    return Architecture.from_dict(entry["architecture"]), fitness
