"""Keep the generations of a search on disk, one line for each, appended when it is over."""

import hashlib
import json
import math
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from devices.files import append_line, held
from devices.yaml_json import parse_json

FOLDER = ".files"  # the end of the name of a folder with the files of one result
SCHEMA_VERSION = 2
# What a search chooses unless it is given, and the paper's values.
CHOSEN = {"generations": 30, "prescreen": 1}

Generation = Mapping[Architecture, float | None]


class RoundKind(StrEnum):
    """The way in which a round chose the candidates that it measures."""

    FIRST = "first search"
    SEARCHED_ON = "searched on"  # with a predictor that was fitted to measured candidates
    NEAREST = "nearest to the budget"  # when no architecture is predicted to fit any more


class SearchStateError(ValueError):
    """A state that is damaged, or that another search wrote."""


@dataclass(frozen=True, slots=True)
class SearchState:
    """The generations of one search.

    Attributes:
        path: The file, JSON lines. The first one tells who wrote it, the others are generations.
        fingerprint: A digest of settings, objective, text, supernet and predictor.
        kind: The kind of the round of these generations, written in the first line.
        chosen: The settings that the search chose by itself, written in the first line.
    """

    path: Path
    fingerprint: str
    kind: RoundKind = RoundKind.FIRST
    chosen: Mapping[str, int] = field(default_factory=dict)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other searches away from the state while the `with` block runs.

        Raises:
            SearchStateError: Another search holds the state.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        refusal = SearchStateError(
            f"'{self.path}' is being written by another search. Wait for it to end, or choose "
            "another output."
        )
        # A verified search holds the state, and so does the search in each of its rounds.
        with held(self.path.with_name(f"{self.path.name}.lock"), refusal, is_singleton=True):
            yield

    def append(self, generation: Generation) -> None:
        """Append a generation. It is on disk when this returns."""
        entries = [{"architecture": a.to_dict(), "fitness": x} for a, x in generation.items()]
        if not self.path.exists():
            self.begin(self.kind)
        append_line(self.path, entries)

    def begin(self, kind: RoundKind) -> None:
        """Write the first line of a new file, with the kind of its round."""
        header = {"schema_version": SCHEMA_VERSION, "fingerprint": self.fingerprint, "round": kind}
        append_line(self.path, header | dict(self.chosen))

    def begun(self) -> RoundKind | None:
        """Return the kind of the round that wrote the file; None when there is no file.

        Release 0.1.0 wrote no kind, and an empty generation when nothing was predicted to fit.
        Such a file counts as `SEARCHED_ON`; the search then ends without a candidate again.

        Raises:
            SearchStateError: The file is damaged or another search wrote it.
        """
        return self._read()[0]

    def of_round(self, n: int, measured_ms: Mapping[Architecture, float]) -> "SearchState":
        """Return the state of a later round, which begins with measurements.

        The file of a round that began with other measurements is removed.

        Args:
            n: The number of the round, from 1.
            measured_ms: The latencies that were measured before the round.
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
        """Return the generations on disk; none when there is no file.

        A line that a killed search left unfinished is removed from the file.

        Raises:
            SearchStateError: The file is damaged or another search wrote it.
        """
        return self._read()[1]

    def _read(self) -> tuple[RoundKind | None, list[dict[Architecture, float | None]]]:
        """Return the round's kind, None when there is no file, and the generations."""
        complete = self._complete_lines()
        if not complete:
            return None, []
        try:
            header, *lines = map(parse_json, complete)
            version, written_by = header["schema_version"], header["fingerprint"]
            kind = RoundKind(header.get("round", self.kind))
            generations = [dict(map(_evaluated, entries)) for entries in lines]
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
        """Return the lines of the file; an unfinished one is removed from it."""
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
        if self.path.parent.name.endswith(FOLDER):
            deletion = shlex.join(["rm", "-r", str(self.path.parent)])
            return f"Choose another output; or, to search again: {deletion}"
        return (
            "Choose another output; or, to search again, delete it and the files of the "
            "verification beside it."
        )


def begun_with(path: Path) -> dict[str, int] | None:
    """Return the settings that the search of a state chose; None when it has not begun.

    Earlier releases chose the paper's for every space and did not write them.
    """
    try:
        with path.open("rb") as file:
            header = parse_json(file.readline())
        return {name: int(header.get(name, value)) for name, value in CHOSEN.items()}
    except (OSError, AttributeError, TypeError, ValueError):  # loading refuses a damaged file
        return None


def _evaluated(entry: Mapping[str, Any]) -> tuple[Architecture, float | None]:
    fitness = None if entry["fitness"] is None else float(entry["fitness"])
    if fitness is not None and not math.isfinite(fitness):
        raise ValueError(f"a fitness is {fitness}")
    return Architecture.from_dict(entry["architecture"]), fitness
