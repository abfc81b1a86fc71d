"""This module measures until a predictor is good enough, the most informative points first.

Cross-validation is looked at after every few rows, and the first look that pleases may please by
chance. So fresh rows confirm it: architectures that were set aside by chance, which the predictor
has not seen and which were not chosen for what they tell. There are at most three confirmations.
Each has a bound of the mean error, and together the bounds fail at most once in ten runs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
from scipy.special import chdtri

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.architecture_profiling import ProfileSummary
from automoe.latency.features import feature_table
from devices.rounding import counted, percent_up
from predictors import FitReport, Predictor, fit_log, read_table
from predictors.next_rows import most_informative
from predictors.preparation import MIN_ROWS
from predictors.scores import score

_POOL = 500
_BATCH = 8
_FRESH = range(16, 65, 8)  # the numbers of fresh rows that a confirmation may have
_CONFIRMATIONS = 3
_WRONG = 0.1  # how often a run may end although the mean error is above the goal
_ROOM = 1.1  # a confirmation begins when the bound would hold with so much to spare

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
        mape: The mean error in cross-validation as a share; None when there are too few rows.
        fresh: The confirmation with which the log ends; None without one.
        is_reached: Whether fresh rows confirmed the goal.
        reason: The reason why measuring stopped, for a person.
    """

    summary: ProfileSummary
    n_rows: int
    mape: float | None
    fresh: "Confirmation | None"
    is_reached: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The errors of a predictor on rows that it has not seen.

    Attributes:
        n_rows: The number of fresh rows.
        mape: Their mean error as a share.
        bound: The upper bound of the mean error on new architectures, see `upper_bound`.
    """

    n_rows: int
    mape: float
    bound: float

    def __str__(self) -> str:
        return (
            f"{self.n_rows} fresh rows were predicted with a mean error of {self.mape:.1%}, "
            f"which is at most {percent_up(self.bound)} for new architectures"
        )


def upper_bound(mape: float, n_rows: int) -> float:
    """Return the upper bound of a mean error, from the mean of independent fresh errors.

    It is the exact one for errors that are distributed exponentially, whose sum has a gamma
    distribution: 2 n mape / chi2(2 n). Errors of a normal distribution vary less, and the bound
    fails less often. Each of three confirmations may be wrong in a third of a tenth of the runs
    (Bonferroni).

    Args:
        mape: The mean of the fresh errors.
        n_rows: Their number.
    """
    return float(mape * 2 * n_rows / chdtri(2 * n_rows, 1 - _WRONG / _CONFIRMATIONS))


def profile_until(
    goal: Goal,
    space: SearchSpace,
    workload: TranslationWorkload,
    *,
    log: Path,
    measure: Measure,
    seed: int = 0,
) -> ActiveOutcome:
    """Measure a few architectures at a time until fresh rows confirm that the goal is reached.

    What is measured next depends only on the goal, the seed and the log. So a run that was
    stopped goes on where it was, and one that has ended measures nothing more.

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
    done = replace(done, n_skipped=len(_measured(log)))
    rng = Random(f"pool {seed}")
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(_POOL)))
    pool, fresh = drawn[::2], drawn[1::2]
    set_aside = frozenset(fresh)
    fitted: dict[int, Predictor] = {}
    while True:
        known = _measured(log)
        plan = _plan(goal, log, [a in set_aside for a in known], fitted)
        minutes = (time.monotonic() - started) / 60
        tried = {*(a.id for a in known), *(failed.point_id for failed in done.failed)}
        source = fresh if plan.n_fresh else pool
        left = [architecture for architecture in source if architecture.id not in tried]
        reason = _reason_to_stop(goal, plan, len(known), minutes)
        if reason is None and not left:
            reason = f"all {len(source)} architectures drawn for it are measured; {plan.verdict}"
        if reason is not None:
            mape = None if plan.report is None else plan.report.best.mape
            return ActiveOutcome(
                done, len(known), mape, plan.confirmation, plan.is_confirmed, reason
            )
        if plan.n_fresh:
            chosen = left[: plan.n_fresh]
        else:
            chosen = _next(left, known, workload, min(_BATCH, goal.most - len(known)))
        done += measure(chosen)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The state of the log: whether the goal is reached, and what is measured next.

    Attributes:
        report: The report of the fit; None with too few rows.
        verdict: A sentence about the goal.
        n_fresh: The number of fresh rows to measure; 0 for informative ones.
        confirmation: The last confirmation that has all of its rows.
        is_confirmed: Whether it confirms the goal.
        is_over: Whether no confirmation is left.
    """

    report: FitReport | None = None
    verdict: str = "too few rows to tell"
    n_fresh: int = 0
    confirmation: Confirmation | None = None
    is_confirmed: bool = False
    is_over: bool = False


def _plan(goal: Goal, log: Path, is_fresh: Sequence[bool], fitted: dict[int, Predictor]) -> _Plan:
    """Return the plan for a log.

    Args:
        goal: The conditions that end the measuring.
        log: The log.
        is_fresh: Whether each of its rows is of an architecture that was set aside. The rows of
            a confirmation follow each other, and other rows come between two confirmations.
        fitted: The predictors of the first rows of the log, by their number. One is added.
    """
    n_confirmations, n_last = _confirmations(is_fresh)
    n_before = len(is_fresh) - n_last
    if n_before < MIN_ROWS:  # rows of another run may happen to be of these architectures
        n_before, n_last, n_confirmations = len(is_fresh), 0, 0
    if n_before < MIN_ROWS:
        return _Plan()
    frame = read_table(log)
    if n_before not in fitted:
        fitted[n_before] = fit_log(frame.iloc[:n_before])
    report = fitted[n_before].report
    planned = _fresh_rows(report.best.mape, goal, n_before)
    if n_last >= max(planned, 1):
        confirmation = _confirmed(fitted[n_before], frame.iloc[n_before:])
        is_confirmed = confirmation.bound <= goal.mape
        prefix = "enough" if is_confirmed else "not enough yet"
        verdict = f"{prefix}: {confirmation}, goal {goal.mape:.1%}"
        is_over = n_confirmations >= _CONFIRMATIONS
        return _Plan(report, verdict, 0, confirmation, is_confirmed, is_over)
    verdict = report.verdict(goal.mape)
    if report.best.mape <= goal.mape:
        verdict = f"{report.best.mape:.1%} in cross-validation, not confirmed by fresh rows"
    if n_last == 0 and n_confirmations >= _CONFIRMATIONS:
        return _Plan(report, verdict, is_over=True)
    return _Plan(report, verdict, planned - n_last if planned else 0)


def _confirmations(is_fresh: Sequence[bool]) -> tuple[int, int]:
    """Return the number of confirmations, and the number of fresh rows at the end of the log."""
    runs = [(value, len(list(group))) for value, group in groupby(is_fresh)]
    return sum(value for value, _ in runs), runs[-1][1] if runs and runs[-1][0] else 0


def _confirmed(predictor: Predictor, rows: pd.DataFrame) -> Confirmation:
    predicted_ms = predictor.predict(rows)["predicted_ms"].to_numpy()
    mape = score("", predicted_ms, rows["latency_ms"].to_numpy(dtype=np.float64)).mape
    return Confirmation(len(rows), mape, upper_bound(mape, len(rows)))


def _fresh_rows(mape: float, goal: Goal, n_rows: int) -> int:
    """Return how many fresh rows a confirmation takes after so many rows; 0 when it is too early.

    They are as few as would confirm the goal when the fresh errors are those of cross-validation.
    When no more informative rows fit within the limit, the confirmation takes all that are left.
    """
    room = goal.most - n_rows
    sizes = [n for n in _FRESH if n <= room]
    if mape > goal.mape or not sizes:
        return 0
    enough = [n for n in sizes if _ROOM * upper_bound(mape, n) <= goal.mape]
    if enough:
        return enough[0]
    return min(room, _FRESH[-1]) if room < _FRESH[0] + _BATCH else 0


def _reason_to_stop(goal: Goal, plan: _Plan, n_rows: int, minutes: float) -> str | None:
    if plan.is_confirmed:
        return plan.verdict
    if plan.is_over:
        return f"{_CONFIRMATIONS} confirmations failed; {plan.verdict}"
    if n_rows >= goal.most:
        return f"{counted(n_rows, 'row')} measured; {plan.verdict}"
    if goal.minutes is not None and minutes >= goal.minutes:
        return f"{goal.minutes:g} minutes are over; {plan.verdict}"
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
