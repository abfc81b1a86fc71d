import json
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.architecture.architecture_files import read_architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.search import (
    Candidate,
    Evaluator,
    Measured,
    SearchSettings,
    Verification,
    front_of,
    result_of,
    search,
    write_result,
)
from automoe.search.state import SearchState

MEASURED = Measured(9.5, 9.25, 9.75, 9.5, flags=("throttled",))


def result(space: SearchSpace, architecture: Architecture, measured: Measured | None) -> Any:
    winner = Candidate(
        architecture=architecture,
        loss=3.5,
        generation=2,
        predicted_ms=9.0,
        lower_ms=8.5,
        upper_ms=9.875,
    )
    return result_of(
        Verification(winner, measured is not None, "for a person", {architecture: measured}),
        SearchSettings(budget_ms=10, seed=3),
        space=space,
        workload=TranslationWorkload.of(space),
        device={"name": "cpu"} if measured else None,
    )


def test_the_contract_of_a_measured_result(space: SearchSpace) -> None:
    found = result(space, space.largest(), MEASURED)
    assert found["budget_ms"] == 10
    assert found["certified"] is True
    assert found["seed"] == 3
    assert found["valid_loss"] == 3.5
    assert found["latency_ms"] == {
        "predicted": 9.0,
        "lower": 8.5,
        "upper": 9.875,
        "measured": 9.5,
        "ci_low": 9.25,
        "ci_high": 9.75,
        "flags": ["throttled"],
    }


def test_what_was_not_measured_is_null(space: SearchSpace) -> None:
    found = result(space, space.largest(), None)
    latency = found["latency_ms"]
    assert (latency["measured"], latency["ci_low"], latency["ci_high"]) == (None, None, None)
    assert found["certified"] is False
    assert found["device"] is None


def test_three_experts_cost_their_weights_but_one_is_active(space: SearchSpace) -> None:
    sparse = result(space, space.largest(experts=3), None)
    dense = result(space, space.largest(experts=1), None)
    # Four layers, 24 wide: two more experts of 32 (two matrices, two biases), and a router.
    expert = 2 * 24 * 32 + 32 + 24
    router = sparse["active_params"] - dense["active_params"]
    assert sparse["params"] - dense["params"] == 4 * 2 * expert + router
    assert router in (4 * 3 * 24, 4 * 3 * 25)  # with or without biases
    assert sparse["embedding_params"] == dense["embedding_params"]


def test_the_file_holds_the_same_and_gives_the_architecture_back(
    space: SearchSpace, tmp_path: Path
) -> None:
    content = result(space, space.largest(), MEASURED)
    path = tmp_path / "new" / "result.json"
    write_result(path, content)
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert read_architecture(path) == space.largest()
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


def test_the_reference_of_a_front_is_not_evaluated_again(
    space: SearchSpace, latency: Any, tmp_path: Path
) -> None:
    calls: list[Architecture] = []

    def noisy(architecture: Architecture) -> float:
        calls.append(architecture)
        return float(len(calls))

    settings = SearchSettings(
        budget_ms=1000, population=6, parents=2, mutants=2, crossovers=2, generations=2, pareto=True
    )
    state = SearchState(tmp_path / "s.jsonl", "this search")
    found = []
    for evaluator in (Evaluator(noisy), Evaluator(noisy)):  # the second as of another process
        outcome = search(space, settings, latency=latency, evaluator=evaluator, state=state)
        found.append(front_of(outcome, space=space, evaluator=evaluator, budget_ms=1000))
    assert found[0] == found[1]
    assert len(calls) == len(outcome.candidates)
