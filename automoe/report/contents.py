"""This module holds the content of a report as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from automoe.training import Record
from predictors import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An architecture that the search evaluated.

    Attributes:
        architecture_id: The architecture's id.
        predicted_ms: The predicted latency in milliseconds.
        upper_ms: The upper bound of the latency in milliseconds.
        loss: The validation loss in nats per token.
        generation: The number of the generation that it first appeared in, from 0.
    """

    architecture_id: str
    predicted_ms: float
    upper_ms: float
    loss: float
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContents:
    """Everything that a report shows. A section without content is left out.

    Attributes:
        title: The title of the page.
        result: The content of ``result.json``.
        candidates: The architectures that the search evaluated.
        log: The latency log, or None.
        predictor: The predictor that was fitted to that log, or None.
        training: The history of the supernet's training.
        verification: The logs of the sessions that verified the winner, first and second.
        config: The configuration of the run as JSON text, which is YAML as well; empty when it is
            not known.
        folder: The folder of the run, as its commands name it.
    """

    title: str
    result: Mapping[str, Any]
    candidates: Sequence[Candidate]
    log: pd.DataFrame | None
    predictor: Predictor | None
    training: Sequence[Record]
    verification: Sequence[pd.DataFrame] = field(default_factory=tuple)
    config: str = ""
    folder: str = ""


def pareto_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other beats in both upper bound and loss, fastest first."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.upper_ms, c.loss)):
        if not front or candidate.loss < front[-1].loss:
            front.append(candidate)
    return front
