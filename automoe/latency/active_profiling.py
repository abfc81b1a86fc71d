"""This module measures until a predictor is good enough, the most informative points first."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.latency.features import feature_table
from automoe.latency.profiling import ProfileSummary
from predictors import FitReport, fit_log, read_table
from predictors.next_rows import most_informative
from predictors.preparation import MIN_ROWS

_POOL = 500
_BATCH = 8

Measure = Callable[[Sequence[Architecture]], ProfileSummary]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The conditions that end the measuring.

    Attributes:
        mape: The mean error on unseen rows that is good enough, as a share.
        most: The number of rows after which measuring stops without success.
        minutes: The time after which no further architecture is measured; None for no limit.
    """

    mape: float
    most: int
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class ActiveOutcome:
    """The outcome of measuring towards a goal.

    Attributes:
        summary: The summary of everything that was measured now.
        n_rows: The number of rows in the log.
        mape: The mean error on unseen rows as a share; None when there are too few rows.
        is_reached: Whether `mape` is the goal or less.
        reason: The reason why measuring stopped, for a person.
    """

    summary: ProfileSummary
    n_rows: int
    mape: float | None
    is_reached: bool
    reason: str


def profile_until(
    goal: Goal,
    space: SearchSpace,
    workload: TranslationWorkload,
    *,
    log: Path,
    measure: Measure,
    seed: int = 0,
) -> ActiveOutcome:
    """Measure a few architectures at a time until cross-validation reaches the goal.

    Args:
        goal: The conditions that end the measuring.
        space: The space from which architectures are drawn.
        workload: The sentence that is timed.
        log: The log to which `measure` appends a row for each architecture.
        measure: A function that measures architectures and returns the summary. It is called
            with no architecture first.
        seed: The seed with which the architectures to choose from are drawn.

    Raises:
        TableError: The log cannot be fitted.
    """
    started, done = time.monotonic(), measure([])  # raises for a log of other conditions
    rng = Random(f"pool {seed}")
    pool = list(dict.fromkeys(space.sample(rng) for _ in range(_POOL)))
    while True:
        known = _measured(log)
        report = fit_log(read_table(log)).report if len(known) >= MIN_ROWS else None
        reason = _reason_to_stop(goal, report, len(known), (time.monotonic() - started) / 60)
        tried = {*(a.id for a in known), *(failed.point_id for failed in done.failed)}
        left = [architecture for architecture in pool if architecture.id not in tried]
        if reason is not None or not left:
            mape = None if report is None else report.best.mape
            reached = mape is not None and mape <= goal.mape
            why = reason or f"all {len(pool)} architectures drawn from the space are measured"
            return ActiveOutcome(done, len(known), mape, reached, why)
        size = min(_BATCH, goal.most - len(known))
        done = _added(done, measure(_next(left, known, workload, size)))


def _reason_to_stop(
    goal: Goal, report: FitReport | None, n_rows: int, minutes: float
) -> str | None:
    verdict = "too few rows to tell" if report is None else report.verdict(goal.mape)
    if report is not None and report.best.mape <= goal.mape:
        return verdict
    if n_rows >= goal.most:
        return f"{n_rows} rows measured; {verdict}"
    if goal.minutes is not None and minutes >= goal.minutes:
        return f"{goal.minutes:g} minutes are over; {verdict}"
    return None


def _measured(log: Path) -> list[Architecture]:
    if not log.exists():
        return []
    return [Architecture.from_json(str(text)) for text in read_table(log)["architecture"]]


def _next(
    left: Sequence[Architecture],
    known: Sequence[Architecture],
    workload: TranslationWorkload,
    size: int,
) -> list[Architecture]:
    rows = feature_table([*left, *known], workload).to_numpy(dtype=np.float64)
    chosen = most_informative(rows[: len(left)], rows[len(left) :], size)
    return [left[index] for index in chosen]


def _added(first: ProfileSummary, second: ProfileSummary) -> ProfileSummary:
    return ProfileSummary(
        n_measured=first.n_measured + second.n_measured,
        n_skipped=first.n_skipped + second.n_skipped,
        n_flagged=first.n_flagged + second.n_flagged,
        failed=(*first.failed, *second.failed),
        quality=dict(sorted((Counter(first.quality) + Counter(second.quality)).items())),
        repaired=(*first.repaired, *second.repaired),
    )
