"""The content of a page, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from automoe.training import Record
from predictors import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An architecture that the search evaluated.

    Attributes:
        architecture_id: Its id.
        predicted_ms: Latency.
        upper_ms: Upper bound of it.
        loss: Validation loss, in nats per token.
        generation: In which it was found, from 0.
    """

    architecture_id: str
    predicted_ms: float
    upper_ms: float
    loss: float
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContents:
    """Everything a page shows; what is empty or None leaves its section out.

    Attributes:
        title: Of the page.
        result: The content of ``result.json``.
        candidates: What the search evaluated.
        log: The latency log.
        predictor: Fitted to that log.
        training: The supernet's history.
    """

    title: str
    result: Mapping[str, Any]
    candidates: Sequence[Candidate]
    log: pd.DataFrame | None
    predictor: Predictor | None
    training: Sequence[Record]


def pareto_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates that no other beats in both upper bound and loss, fastest first."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.upper_ms, c.loss)):
        if not front or candidate.loss < front[-1].loss:
            front.append(candidate)
    return front
