from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from pydantic import ValidationError

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.infeasible_budget import InfeasibleBudgetError
from automoe.search import Evaluator, SearchSettings, SearchStateError, budget_search, search
from automoe.search.budget_search import TradeOffs
from automoe.search.state import SearchState


def size_of(a: Architecture) -> int:
    stacks = (a.encoder, a.decoder)
    return sum(w for stack in stacks for layer in stack.layers for w in layer.experts)


SMALL: dict[str, Any] = {
    "population": 12,
    "parents": 4,
    "mutants": 5,
    "crossovers": 5,
    "generations": 4,
}


def settings(budget_ms: float, **limits: Any) -> SearchSettings:
    return SearchSettings(budget_ms=budget_ms, **{**SMALL, **limits})


def fitness(a: Architecture) -> float:
    return -float(size_of(a))


def run(
    space: SearchSpace,
    latency: Any,
    path: Path,
    budget_ms: float = 200,
    *,
    limits: dict[str, Any] | None = None,
    **more: Any,
) -> Any:
    evaluator = Evaluator(more.pop("fitness", fitness))
    state = SearchState(path, "this search")
    chosen = settings(budget_ms, **(limits or {}))
    return search(space, chosen, latency=latency, state=state, evaluator=evaluator, **more)


def test_every_candidate_is_within_the_budget_and_the_best_comes_first(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    outcome = run(space, latency, tmp_path / "s.jsonl")
    assert len(outcome.candidates) == 12 + 3 * 10
    assert all(1.1 * size_of(c.architecture) <= 200 for c in outcome.candidates)
    losses = [c.loss for c in outcome.candidates]
    assert losses == sorted(losses)
    assert outcome.candidates[0].upper_ms == pytest.approx(
        1.1 * size_of(outcome.candidates[0].architecture)
    )


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("max_flops", lambda cost: cost.flops),
        ("max_params", lambda cost: cost.params),
        ("max_active_params", lambda cost: cost.active_params),
        ("max_memory_mb", lambda cost: 4e-6 * (cost.params + cost.embedding_params)),
    ],
)
def test_every_candidate_keeps_a_limit(
    space: SearchSpace, latency: Any, tmp_path: Path, name: str, of: Any
) -> None:
    smallest, largest = (of(latency.workload.cost(a)) for a in (space.smallest(), space.largest()))
    limit = smallest + 0.3 * (largest - smallest)
    outcome = run(space, latency, tmp_path / "s.jsonl", 1000, limits={name: limit})
    found = [of(latency.workload.cost(c.architecture)) for c in outcome.candidates]
    assert len(found) > 12
    assert max(found) <= limit
    free = run(space, latency, tmp_path / "free.json", 1000)
    assert max(of(latency.workload.cost(c.architecture)) for c in free.candidates) > limit


def test_a_limit_that_nothing_keeps_is_refused_with_one_that_works(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    least = latency.workload.cost(space.smallest()).params
    message = rf"'max_params' must be at least {least}, what the smallest .* takes. Got {least - 1}"
    with pytest.raises(InfeasibleBudgetError, match=message):
        run(space, latency, tmp_path / "s.jsonl", limits={"max_params": least - 1})
    kept = run(space, latency, tmp_path / "t.json", limits={"max_params": least}).candidates
    assert {latency.workload.cost(c.architecture).params for c in kept} == {least}


def test_random_search_evaluates_as_many_and_looks_at_no_fitness(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    def drawn(name: str, sign: float) -> set[Architecture]:
        outcome = run(
            space,
            latency,
            tmp_path / name,
            1000,
            limits={"random": True},
            fitness=lambda a: sign * fitness(a),
        )
        return {candidate.architecture for candidate in outcome.candidates}

    assert len(drawn("a", 1)) == 12 + 3 * 10
    assert drawn("a", 1) == drawn("b", -1)


def test_an_infeasible_budget_is_refused_at_once_with_one_that_works(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    def never(a: Architecture) -> float:
        raise AssertionError("evaluated although nothing fits")

    # The smallest has three layers of one expert 16 wide, plus a tenth. 48 * 1.1 is above 52.8 in
    # binary, so a budget of 52.8 would not hold it.
    with pytest.raises(InfeasibleBudgetError, match="nearest feasible budget is 52.9 ms"):
        run(space, latency, tmp_path / "s.jsonl", budget_ms=50, fitness=never)
    assert run(space, latency, tmp_path / "t.json", budget_ms=52.81).candidates


def test_an_interrupted_search_ends_like_one_that_was_not(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    whole = run(space, latency, tmp_path / "whole.json")
    scored: list[Architecture] = []

    def interrupted(a: Architecture) -> float:
        if len(scored) == 17:  # in the middle of the second generation
            raise KeyboardInterrupt
        scored.append(a)
        return fitness(a)

    with pytest.raises(KeyboardInterrupt):
        run(space, latency, tmp_path / "s.jsonl", fitness=interrupted)
    kept = set(scored[:12])
    later: list[Architecture] = []

    def counted(a: Architecture) -> float:
        later.append(a)
        return fitness(a)

    assert run(space, latency, tmp_path / "s.jsonl", fitness=counted) == whole
    assert not kept & set(later)


def test_progress_counts_up_to_its_total(space: SearchSpace, latency: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run(
        space,
        latency,
        tmp_path / "s.jsonl",
        on_progress=lambda done, total, note="": seen.append((done, total)),
    )
    assert seen == [(n, 42) for n in range(1, 43)]


def test_progress_of_a_resumed_search_goes_on_where_it_stood(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    def stops(a: Architecture) -> float:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return fitness(a)

    left = 25  # the first generation has 12, each other 10
    with pytest.raises(KeyboardInterrupt):
        run(space, latency, tmp_path / "s.jsonl", fitness=stops)
    seen: list[tuple[int, int]] = []
    run(
        space,
        latency,
        tmp_path / "s.jsonl",
        on_progress=lambda done, total, note="": seen.append((done, total)),
    )
    assert seen == [(n, 42) for n in range(23, 43)]


def test_a_finished_search_scores_nothing_again(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    def never(a: Architecture) -> float:
        raise AssertionError("scored although it is finished")

    whole = run(space, latency, tmp_path / "s.jsonl")
    assert run(space, latency, tmp_path / "s.jsonl", fitness=never) == whole


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_cannot_be_ranked_is_refused(
    loss: float, space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"must be finite. Got {loss}; correct the objective"):
        run(space, latency, tmp_path / "s.jsonl", fitness=lambda a: loss)


def test_the_state_of_another_search_is_refused(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    run(space, latency, tmp_path / "s.jsonl")
    with pytest.raises(
        SearchStateError, match="belongs to a search with other settings, objective"
    ):
        search(
            space,
            settings(200),
            latency=latency,
            evaluator=Evaluator(fitness),
            state=SearchState(tmp_path / "s.jsonl", "another search"),
        )


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"fingerprint": "this search"}\n[{"fitness": 1}]',
        '{"fingerprint": "this search"}\n[{"architecture": 1, "fitness": 1}]',
        '{"fingerprint": "this search"}\n[[',
        '{"schema_version": 2, "fingerprint": "this search"}\n'
        '[{"architecture": 1, "fitness": NaN}]',
    ],
)
def test_a_damaged_state_is_refused(
    text: str, space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    (tmp_path / "s.jsonl").write_text(f"{text}\n")
    with pytest.raises(SearchStateError, match="is damaged .* to search again, delete it"):
        run(space, latency, tmp_path / "s.jsonl")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.999])
@pytest.mark.parametrize("pareto", [False, True])
def test_a_state_cut_short_is_gone_on_from(
    share: float, pareto: bool, space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    path = tmp_path / "s.jsonl"
    whole = run(space, latency, path, limits={"pareto": pareto})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert run(space, latency, path, limits={"pareto": pareto}) == whole
    assert path.read_bytes() == content


def test_trade_offs_do_not_hang_on_the_last_digits_of_a_latency(space: SearchSpace) -> None:
    rng = Random(0)
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(20)))
    fitness_of = {a: float(n % 5) for n, a in enumerate(drawn)}

    def upper_ms(some: Sequence[Architecture]) -> Any:  # as of a matrix product of another size
        return np.array(
            [10.0 + fitness_of[a] // 2 + 1e-13 * len(some) * (n % 2) for n, a in enumerate(some)]
        )

    at_once, one_by_one = TradeOffs(upper_ms), TradeOffs(upper_ms)
    for n in range(1, len(drawn)):
        one_by_one(dict(list(fitness_of.items())[:n]))
    assert one_by_one(fitness_of) == at_once(fitness_of)


def test_a_search_that_found_nothing_has_not_begun(
    space: SearchSpace, latency: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = lambda settings, latency: lambda some: [False] * len(some)  # noqa: E731
    monkeypatch.setattr(budget_search, "_feasibility", nothing)
    with pytest.raises(InfeasibleBudgetError, match="takes at most .* ms: raise one of them"):
        run(space, latency, tmp_path / "s.jsonl")
    assert not (tmp_path / "s.jsonl").exists()


def test_two_searches_do_not_write_one_state(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    path = tmp_path / "s.jsonl"
    with (
        FileLock(f"{path}.lock"),  # as of another process
        pytest.raises(SearchStateError, match="is being written by another search. Wait"),
    ):
        run(space, latency, path)
    assert not path.exists()
    run(space, latency, path)


def test_a_search_that_knows_more_than_a_first_generation_ends_at_its_total(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    first = run(space, latency, tmp_path / "s.jsonl", 400)
    known = {c.architecture: c.loss for c in first.candidates}
    seen: list[tuple[int, int]] = []
    run(
        space,
        latency,
        tmp_path / "later.jsonl",
        400,
        known=known,
        on_progress=lambda done, total, note: seen.append((done, total)),
    )
    assert seen[0] == (len(known) + 1, len(known) + 30)
    assert seen[-1] == (len(known) + 30, len(known) + 30)


def test_a_front_holds_every_trade_off_that_was_found(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    outcome = run(
        space, latency, tmp_path / "s.jsonl", 400, limits={"pareto": True, "generations": 8}
    )
    found = outcome.front
    assert [c.loss for c in found] == sorted(c.loss for c in found)
    for candidate in outcome.candidates:
        beaten = any(c.loss <= candidate.loss and c.upper_ms <= candidate.upper_ms for c in found)
        assert beaten, "a candidate that no member of the front matches"
    # Loss is minus the widths and latency their sum: every sum is a trade-off of its own.
    sums = {size_of(c.architecture) for c in outcome.candidates}
    assert {size_of(c.architecture) for c in found} == sums
    assert len(sums) > 10


def test_a_search_for_trade_offs_keeps_the_fast_and_the_good(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    def heads_cost_nothing(a: Architecture) -> float:
        stacks = (a.encoder, a.decoder)
        return -sum(50 * x.heads + sum(x.experts) for stack in stacks for x in stack.layers)

    limits = {"generations": 8}
    least, both = (
        run(
            space,
            latency,
            tmp_path / f"{pareto}.json",
            400,
            limits={**limits, "pareto": pareto},
            fitness=heads_cost_nothing,
        )
        for pareto in (False, True)
    )
    reference = (0.0, 440.0)
    assert both.hypervolume(reference) > least.hypervolume(reference)


def test_halving_evaluates_few_on_all_of_the_text(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    asked: dict[str, list[Architecture]] = {"half": [], "all": []}

    def on(part: str) -> Any:
        def measured(a: Architecture) -> float:
            asked[part].append(a)
            return fitness(a)

        measured.__qualname__ = part
        return measured

    outcome = search(
        space,
        settings(400, halvings=1),
        latency=latency,
        evaluator=Evaluator(on("half"), on("all")),
        state=SearchState(tmp_path / "s.jsonl", "this search"),
    )
    assert len(asked["half"]) == len(set(asked["half"])) == 12 + 3 * 10
    assert len(asked["all"]) == len(set(asked["all"])) == 6 + 3 * 5
    assert {c.architecture for c in outcome.candidates} == set(asked["all"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"halvings": 2}, "halvings must leave parents=4 of population=12"),
        ({"halvings": 1, "pareto": True}, "halvings must be 0 with pareto"),
    ],
)
def test_halvings_that_leave_too_little_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(200, **wrong)


def test_what_is_known_is_not_put_to_the_test_of_less_text(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    rng = Random(1)
    few = list(dict.fromkeys(space.sample(rng) for _ in range(3)))  # too few for the parents
    known = {a: -1e6 - n for n, a in enumerate(few)}

    def never_of_these(a: Architecture) -> float:
        assert a not in known, "evaluated although its loss is known"
        return fitness(a)

    seen: list[tuple[int, str]] = []
    outcome = search(
        space,
        settings(1000, halvings=1),
        latency=latency,
        evaluator=Evaluator(never_of_these, never_of_these),
        state=SearchState(tmp_path / "s.jsonl", "this search"),
        known=known,
        on_progress=lambda done, total, note: seen.append((done, note)),
    )
    assert [c.loss for c in outcome.candidates[:3]] == sorted(known.values())
    assert [done for done, _ in seen] == list(range(1, 43))
    assert seen[0][1] == ""  # half of what is new is dropped first
    assert seen[-1][1] == "best -1e+06"
    assert outcome.n_evaluated == 42


def test_the_nearest_budget_keeps_the_other_limits_too(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    class LargerIsFaster(type(latency)):  # type: ignore[misc]
        def upper_ms(self, some: Sequence[Architecture], *, confidence: float) -> Any:
            return np.array([100.0 - 0.1 * size_of(a) for a in some])

    limits = {"max_params": latency.workload.cost(space.smallest()).params}
    nearest = 100 - 0.1 * size_of(space.smallest())
    with pytest.raises(InfeasibleBudgetError, match=f"limits fits .* budget is {nearest:.3g} ms"):
        run(space, LargerIsFaster(), tmp_path / "s.jsonl", nearest - 1, limits=limits)
    assert run(space, LargerIsFaster(), tmp_path / "s.jsonl", nearest, limits=limits).candidates


def test_what_is_known_to_fit_is_searched_from_though_the_survey_saw_nothing(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    fast = space.sample(Random(3))

    class OnlyOneIsFast(type(latency)):  # type: ignore[misc]
        def upper_ms(self, some: Sequence[Architecture], *, confidence: float = 0.95) -> Any:
            return np.array([1.0 if a == fast else 100.0 for a in some])

    outcome = run(space, OnlyOneIsFast(), tmp_path / "s.jsonl", 50, known={fast: -7.0})
    assert [c.architecture for c in outcome.candidates] == [fast]
    with pytest.raises(InfeasibleBudgetError):
        run(space, OnlyOneIsFast(), tmp_path / "t.jsonl", 50)
