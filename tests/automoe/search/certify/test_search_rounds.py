import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from support.small_text import small_space

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.features import feature_table
from automoe.latency.model import LatencyModel
from automoe.search import (
    Evaluator,
    Measured,
    RoundKind,
    SearchSettings,
    VerifiedSearch,
    search,
)
from automoe.search.certify.search_rounds import verified_search
from automoe.search.state import SearchState
from predictors import fit_log

SIZES = {"population": 20, "parents": 5, "mutants": 10, "crossovers": 10, "generations": 6}
BUDGET_MS = 30.0


def size_of(architecture: Architecture) -> float:
    stacks = (architecture.encoder, architecture.decoder)
    return float(sum(w for stack in stacks for layer in stack.layers for w in layer.experts))


def milliseconds(architecture: Architecture) -> float:
    """The true latency in the log that the predictor is fitted to."""
    return 5 + size_of(architecture) / 10


class Bench:
    """A device on which everything takes a multiple of what the log says, and a second each."""

    def __init__(self, slowness: float, noise: float = 0.005, spent: float = 0.0) -> None:
        self._slowness, self._noise, self._spent = slowness, noise, spent
        self.measured: list[Architecture] = []
        self.again: list[Architecture] = []
        self.also: tuple[Architecture, ...] = ()

    @property
    def failures(self) -> dict[str, str]:
        return {}

    @property
    def seconds(self) -> float:
        return self._spent + len(self.measured) + len(self.again)

    def measure_again(self, architecture: Architecture, on_progress: Any) -> Measured | None:
        self.again.append(architecture)
        return self._measured(architecture)

    def measure(
        self, architectures: Sequence[Architecture], on_progress: Any
    ) -> dict[Architecture, Measured | None]:
        self.measured += architectures
        return {a: self._measured(a) for a in architectures}

    def _measured(self, architecture: Architecture) -> Measured:
        ms = self._slowness * milliseconds(architecture)
        return Measured(ms, (1 - self._noise) * ms, (1 + self._noise) * ms, ms, ())


@pytest.fixture(scope="module")
def latency() -> LatencyModel:
    space = small_space()
    workload, rng = TranslationWorkload.of(space), Random(0)
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(60)))
    frame = feature_table(drawn, workload)[["feature_encoder_ffn_mflops"]]
    frame["feature_width"] = [size_of(a) for a in drawn]
    noise = [rng.gauss(1, 0.01) for _ in drawn]
    frame["latency_ms"] = [n * milliseconds(a) for n, a in zip(noise, drawn, strict=True)]
    return WidthModel(fit_log(frame), workload)


class WidthModel(LatencyModel):
    """A latency model that sees the width which the true latency is made of."""

    def table(self, architectures: Sequence[Architecture]) -> pd.DataFrame:
        frame = feature_table(architectures, self.workload)
        return frame.assign(feature_width=[size_of(a) for a in architectures])

    def refitted(
        self, architectures: Sequence[Architecture], latency_ms: Sequence[float]
    ) -> LatencyModel:
        found = super().refitted(architectures, latency_ms)
        return WidthModel(found.predictor, found.workload)


Run = Callable[..., tuple[VerifiedSearch, Bench]]


@pytest.fixture
def run(space: SearchSpace, latency: LatencyModel, tmp_path: Path) -> Run:
    def searched(
        slowness: float, *, spent: float = 0.0, verify_most: int = 20, **settings: Any
    ) -> tuple[VerifiedSearch, Bench]:
        bench = Bench(slowness, spent=spent)
        chosen = SearchSettings(**{"budget_ms": BUDGET_MS, **SIZES, "verify_top": 3, **settings})
        found = verified_search(
            space,
            chosen.model_copy(update={"verify_most": verify_most}),
            latency=latency,
            evaluator=Evaluator(lambda a: -size_of(a)),
            state=SearchState(tmp_path / "s.jsonl", f"{slowness} {settings}"),
            bench=bench,  # type: ignore[arg-type]
        )
        return found, bench

    return searched


def test_what_fits_at_once_ends_the_search(run: Run) -> None:
    found, bench = run(0.9)
    assert found.verification.certified
    assert found.kinds == (RoundKind.FIRST,)
    assert len(bench.measured) == 3
    assert found.verification.winner is found.outcome.candidates[0]


@pytest.mark.parametrize("slowness", [1.1, 1.3])
def test_a_device_slower_than_its_log_is_learnt_and_the_budget_kept(
    run: Run, slowness: float
) -> None:
    found, bench = run(slowness)
    assert found.verification.certified
    searched_on = (RoundKind.FIRST, RoundKind.SEARCHED_ON)
    assert found.kinds == searched_on, "the level of the device is known after one round"
    winner = found.verification.winner.architecture
    assert slowness * milliseconds(winner) <= BUDGET_MS
    assert len(bench.measured) == len(set(bench.measured)) <= 6
    # Within a few percent of what fits there, though the log said otherwise.
    assert slowness * milliseconds(winner) > 0.85 * BUDGET_MS


def test_a_device_on_which_nothing_fits_is_told_so(run: Run) -> None:
    found, bench = run(5.0)
    assert not found.verification.certified
    told = (
        "with these measurements no other architecture of 'small' is predicted to fit; the fastest"
    )
    assert told in found.verification.reason
    assert found.kinds == (RoundKind.FIRST, RoundKind.NEAREST)
    assert len(bench.measured) == 6, "the best three, and the three that seem to be the fastest"
    fastest_ms = min(milliseconds(c.architecture) for c in found.outcome.candidates)
    assert min(map(milliseconds, bench.measured)) == fastest_ms


def test_no_more_is_measured_than_allowed(run: Run) -> None:
    found, bench = run(1.3, verify_most=3)
    assert not found.verification.certified
    assert len(bench.measured) == 3
    assert "raise 'verify_most' 3" in found.verification.reason


def test_fewer_to_measure_than_before_costs_no_later_round(run: Run, tmp_path: Path) -> None:
    whole, _ = run(1.3)
    assert whole.rounds == 2
    kept = (tmp_path / "s1.jsonl").read_bytes()
    fewer, _ = run(1.3, verify_most=2)
    assert not fewer.verification.certified
    assert (tmp_path / "s1.jsonl").read_bytes() == kept
    assert run(1.3)[0].verification == whole.verification


def test_no_more_is_measured_once_the_time_is_up(run: Run) -> None:
    found, bench = run(1.3, device_minutes=0.05)
    assert not found.verification.certified
    assert len(bench.measured) == 3
    assert "0.05 minutes of device time are used up" in found.verification.reason


def test_a_search_that_goes_on_evaluates_nothing_again_and_ends_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seven seconds in all; the first round, after which it is asked, takes three.
    whole, bench = run(1.3, device_minutes=5 / 60)
    assert whole.rounds == 2
    assert bench.seconds == 7
    state, later = tmp_path / "s.jsonl", tmp_path / "s1.jsonl"
    assert len(later.read_bytes().splitlines()) == 1 + 2
    kept = state.read_bytes()
    asked: list[Architecture] = []
    monkeypatch.setattr(Evaluator, "__call__", lambda self, some, *_: asked.extend(some) or {})
    again, _ = run(1.3, device_minutes=5 / 60, spent=7)
    assert again.outcome == whole.outcome
    assert again.verification == whole.verification
    assert asked == []
    assert state.read_bytes() == kept


def told_by(searched: VerifiedSearch) -> tuple[object, ...]:
    """What a search tells; two predictors are never equal."""
    return searched.outcome, searched.verification, searched.kinds


def kind_of(state: Path) -> str:
    """The kind of the round as the file says it."""
    return str(json.loads(state.read_bytes().splitlines()[0])["round"])


@pytest.mark.parametrize(
    ("slowness", "kind"), [(1.3, "searched on"), (5.0, "nearest to the budget")]
)
def test_a_search_stopped_at_any_moment_ends_the_same(
    run: Run, tmp_path: Path, slowness: float, kind: str
) -> None:
    whole, _ = run(slowness)
    state, later = tmp_path / "s.jsonl", tmp_path / "s1.jsonl"
    assert (kind_of(state), kind_of(later)) == ("first search", kind)
    for path in (state, later):
        content = path.read_bytes()
        lines = content.splitlines(keepends=True)
        for n_kept, line in enumerate(lines):
            # It was stopped while it wrote the next line, which is taken off the file.
            path.write_bytes(b"".join(lines[:n_kept]) + line[:9])
            again, _ = run(slowness)
            assert told_by(again) == told_by(whole)
            assert path.read_bytes() == content


@pytest.mark.parametrize("is_of_0_1_0", [False, True])
def test_the_nearest_are_measured_although_the_time_is_up_since(
    run: Run, tmp_path: Path, is_of_0_1_0: bool
) -> None:
    # Three seconds before the second round, six after it.
    whole, bench = run(5.0, device_minutes=5 / 60)
    assert whole.kinds == (RoundKind.FIRST, RoundKind.NEAREST)
    later = tmp_path / "s1.jsonl"
    if is_of_0_1_0:  # which wrote no kind, and an empty generation
        header = json.loads(later.read_text())
        del header["round"]
        later.write_text(json.dumps(header) + "\n[]\n")
    again, _ = run(5.0, device_minutes=5 / 60, spent=bench.seconds)
    assert told_by(again) == told_by(whole)


def test_a_later_round_is_searched_anew_when_other_things_were_measured(
    run: Run, tmp_path: Path
) -> None:
    run(1.3)
    before = (tmp_path / "s1.jsonl").read_bytes()
    # As if the first log had been lost, and measured again on a slower day.
    state = SearchState(tmp_path / "s.jsonl", "1.3 {}")
    other = state.of_round(1, {small_space().smallest(): 3.0})
    assert other.load() == []
    assert not other.path.exists()
    found, _ = run(1.3)
    assert found.verification.certified
    assert (tmp_path / "s1.jsonl").read_bytes() == before


def test_the_few_that_fit_still_are_where_it_goes_on_from(
    space: SearchSpace, latency: LatencyModel, tmp_path: Path
) -> None:
    known = {space.smallest(): -1.0}
    assert len(known) < SIZES["parents"]
    asked: list[Architecture] = []

    def fitness(architecture: Architecture) -> float:
        asked.append(architecture)
        return -size_of(architecture)

    outcome = search(
        space,
        SearchSettings(budget_ms=BUDGET_MS, **{**SIZES, "generations": 1}),
        latency=latency,
        evaluator=Evaluator(fitness),
        state=SearchState(tmp_path / "s.jsonl", "this"),
        known=known,
    )
    assert next(iter(SearchState(tmp_path / "s.jsonl", "this").load()[0])) == space.smallest()
    assert known.items() <= {c.architecture: c.loss for c in outcome.candidates}.items()
    assert not known.keys() & set(asked)
    assert len(outcome.candidates) == SIZES["population"]


def test_known_architectures_are_the_first_generation(
    space: SearchSpace, latency: LatencyModel, tmp_path: Path
) -> None:
    settings = SearchSettings(budget_ms=BUDGET_MS, **SIZES)
    first = search(
        space,
        settings,
        latency=latency,
        evaluator=Evaluator(lambda a: -size_of(a)),
        state=SearchState(tmp_path / "a.json", "a"),
    )
    known = {c.architecture: c.loss for c in first.candidates}
    again = search(
        space,
        settings.model_copy(update={"generations": 2}),
        latency=latency,
        evaluator=Evaluator(lambda a: -size_of(a)),
        state=SearchState(tmp_path / "b.json", "b"),
        known=known,
    )
    assert known.keys() < {c.architecture for c in again.candidates}
    assert len(again.candidates) == len(known) + 20
