from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from support.measurements import made_up
from support.small_text import small_space

from automoe.architecture.architecture import Architecture
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.active_profiling import Confirmation, Goal, profile_until, upper_bound
from automoe.latency.architecture_profiling import ProfileSummary
from automoe.latency.features import features
from profilers import FailedPoint, LatencyLog, LogError, read_log

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

SPACE = small_space()
WORKLOAD = TranslationWorkload.of(SPACE)


class Bench:
    """Stands for a device: latency is a line on two features, with noise."""

    def __init__(self, log: Path, noise: float) -> None:
        self.log = LatencyLog(log)
        self.noise = noise
        self.failing: set[str] = set()
        self.slower: set[str] = set()
        self.batches: list[int] = []

    def __call__(self, architectures: Sequence[Architecture]) -> ProfileSummary:
        if architectures:
            self.batches.append(len(architectures))
        failed = [a for a in architectures if a.id in self.failing]
        for architecture in architectures:
            if architecture not in failed:
                self._append(architecture)
        return ProfileSummary(
            len(architectures) - len(failed),
            0,
            0,
            tuple(FailedPoint(a.id, "it broke", {}) for a in failed),
            {"A": len(architectures) - len(failed)} if architectures else {},
            n_disturbed=len(architectures) - len(failed),
            flags={"contended": 1, "threads": 2} if architectures else {},
        )

    def _append(self, architecture: Architecture) -> None:
        row = features(architecture, WORKLOAD)
        exact = 5 + row["feature_decoder_layers"] + 40 * row["feature_encoder_ffn_mflops"]
        noise = np.random.default_rng(int(architecture.id, 16)).lognormal(0, self.noise)
        latency_ms = float(exact * noise * (1.05 if architecture.id in self.slower else 1.0))
        columns = {
            "workload": str(WORKLOAD),
            "architecture": architecture.to_json(),
            **row,
        }
        around = {
            "ci_low_ms": 0.99 * latency_ms,
            "ci_high_ms": 1.01 * latency_ms,
            "raw_latency_ms": latency_ms,
            "min_ms": latency_ms,
        }
        self.log.append(made_up(architecture.id, latency_ms=latency_ms, columns=columns, **around))


def test_it_stops_when_the_predictor_is_good_enough(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lat.csv", noise=0.002)
    goal = Goal(mape=0.02, most=100)
    outcome = profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)
    assert outcome.is_reached
    assert outcome.mape is not None
    assert outcome.mape <= 0.02
    assert outcome.fresh is not None
    assert outcome.fresh.mape < outcome.fresh.bound <= 0.02
    assert bench.batches == [8, 8, 8, 16]
    assert outcome.n_rows == len(read_log(bench.log.path)) == 40
    assert outcome.reason.startswith("enough: 16 fresh rows were predicted with a mean error of ")
    # The summary is the sum of the four calls that measured.
    assert outcome.summary.n_disturbed == 40
    assert outcome.summary.flags == {"contended": 4, "threads": 8}
    # Asked again, nothing is measured.
    again = profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)
    assert (again.is_reached, again.summary.n_measured) == (True, 0)


def test_noise_that_no_number_of_rows_removes_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lat.csv", noise=0.2)
    goal = Goal(mape=0.01, most=36)
    outcome = profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)
    assert not outcome.is_reached
    assert bench.batches == [8, 8, 8, 8, 4]
    assert outcome.reason.startswith("36 rows measured; not enough yet: ")
    assert outcome.fresh is None


def test_a_run_that_was_stopped_confirms_with_the_same_rows(tmp_path: Path) -> None:
    goal = Goal(mape=0.02, most=100)
    whole = Bench(tmp_path / "whole.csv", noise=0.002)
    outcome = profile_until(goal, SPACE, WORKLOAD, log=whole.log.path, measure=whole)
    lines = whole.log.path.read_text().splitlines(keepends=True)
    (tmp_path / "torn.csv").write_text("".join(lines[: 1 + 24 + 5]))
    torn = Bench(tmp_path / "torn.csv", noise=0.002)
    again = profile_until(goal, SPACE, WORKLOAD, log=torn.log.path, measure=torn)
    assert torn.batches == [11]
    assert again.fresh == outcome.fresh
    assert (again.summary.n_skipped, again.summary.n_measured) == (29, 11)
    assert read_log(torn.log.path) == read_log(whole.log.path)


@pytest.mark.slow
def test_an_error_that_only_cross_validation_overlooks_is_no_success(tmp_path: Path) -> None:
    # What was set aside is slower, as if the rows chosen before had been lucky.
    bench = Bench(tmp_path / "lat.csv", noise=0.002)
    rng = Random("pool 0")
    drawn = list(dict.fromkeys(SPACE.sample(rng) for _ in range(500)))
    bench.slower = {architecture.id for architecture in drawn[1::2]}
    goal = Goal(mape=0.02, most=48)
    outcome = profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)
    assert not outcome.is_reached
    assert bench.batches[:4] == [8, 8, 8, 16]
    assert "confirmed by fresh rows" in outcome.reason


@pytest.mark.slow
def test_without_rows_for_a_confirmation_nothing_is_called_enough(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lat.csv", noise=0.002)
    goal = Goal(mape=0.02, most=30)
    outcome = profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)
    assert not outcome.is_reached
    assert outcome.n_rows == 30
    assert "in cross-validation, not confirmed by fresh rows" in outcome.reason


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda rng, n: abs(rng.standard_normal(n)), id="normal"),
        pytest.param(lambda rng, n: abs(rng.standard_normal(n) + 1), id="biased"),
        pytest.param(lambda rng, n: rng.exponential(size=n), id="exponential"),
        pytest.param(lambda rng, n: rng.lognormal(0, 0.8, n), id="lognormal"),
        pytest.param(lambda rng, n: abs(rng.standard_t(4, n)), id="heavy tails"),
    ],
)
@pytest.mark.parametrize("n_rows", [16, 32, 64])
def test_at_most_one_run_in_ten_ends_wrongly(draw: Draw, n_rows: int) -> None:
    # The true mean error is the goal itself, in each of three confirmations.
    rng = np.random.default_rng(0)
    n_runs = 4000
    goal = float(np.mean(draw(rng, 1_000_000)))
    means = draw(rng, n_runs * 3 * n_rows).reshape(n_runs, 3, n_rows).mean(axis=2)
    wrong = np.any(means * upper_bound(1.0, n_rows) <= goal, axis=1)
    assert np.mean(wrong) <= 0.105  # one standard deviation of the share is 0.5 points


def test_device_time_is_a_limit(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lat.csv", noise=0.1)
    goal = Goal(mape=0.01, most=100, minutes=0.0)
    outcome = profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)
    assert (outcome.n_rows, outcome.mape) == (0, None)
    assert outcome.reason == "0 minutes are over; too few rows to tell"


def test_what_fails_is_not_asked_for_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lat.csv", noise=0.002)
    rng = Random("pool 0")
    bench.failing = {SPACE.sample(rng).id for _ in range(100)}
    outcome = profile_until(
        Goal(mape=1e-6, most=24), SPACE, WORKLOAD, log=bench.log.path, measure=bench
    )
    failed = [f.point_id for f in outcome.summary.failed]
    assert len(set(failed)) == len(failed) > 0
    assert outcome.n_rows == 24


def test_a_log_of_other_conditions_is_never_called_enough(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lat.csv", noise=0.002)
    goal = Goal(mape=0.02, most=100)
    profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench)

    def refusing(architectures: Sequence[Architecture]) -> ProfileSummary:
        raise LogError("'workload' must be another")

    with pytest.raises(LogError, match="'workload' must be another"):
        profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=refusing)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_measures_the_same(tmp_path: Path, seed: int) -> None:
    ids = []
    for name in ("a", "b"):
        bench = Bench(tmp_path / f"{name}{seed}.csv", noise=0.1)
        goal = Goal(mape=0.001, most=16)
        profile_until(goal, SPACE, WORKLOAD, log=bench.log.path, measure=bench, seed=seed)
        ids.append([row["point_id"] for row in read_log(bench.log.path)])
    assert ids[0] == ids[1]


def test_the_bound_of_a_confirmation_is_rounded_up() -> None:
    assert str(Confirmation(n_rows=16, mape=0.02, bound=0.0301)).endswith(
        "at most 3.1 % for new architectures"
    )
