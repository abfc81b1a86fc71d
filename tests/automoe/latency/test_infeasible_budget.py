import pytest

from automoe.latency.infeasible_budget import (
    InfeasibleBudgetError,
    UnmetLimit,
    none_fits,
    none_keeps_all,
    none_left,
    none_within_limits,
)


@pytest.mark.parametrize(
    ("lowest_ms", "named"), [(2.4691, "2.47"), (0.0123401, "0.0124"), (1999, "2000")]
)
def test_the_budget_that_is_named_is_rounded_up(lowest_ms: float, named: str) -> None:
    error = none_fits(
        "tiny",
        budget_ms=lowest_ms / 2,
        lowest_ms=lowest_ms,
        fastest_id="abc",
        median_ms=3 * lowest_ms,
        highest_ms=5 * lowest_ms,
        is_limited=False,
    )
    assert isinstance(error, InfeasibleBudgetError)
    assert f"The nearest feasible budget is {named} ms (architecture abc)" in str(error)


def test_every_limit_that_nothing_keeps_is_named_with_one_that_works() -> None:
    unmet = {"max_params": UnmetLimit(10, 1234), "max_memory_mb": UnmetLimit(0.5, 0.61234)}
    said = str(none_within_limits("tiny", unmet))
    assert (
        "'max_params' must be at least 1234, what the smallest architecture takes. Got 10" in said
    )
    assert "'max_memory_mb' must be at least 0.613, what the smallest" in said


def test_a_search_that_found_nothing_names_the_fastest_it_saw() -> None:
    said = str(none_keeps_all("tiny", budget_ms=5, fastest_id="abc", lowest_ms=4.5))
    assert "keeps the budget of 5 ms and all limits together" in said
    assert "abc, takes at most 4.5 ms: raise one of them." in said


def test_the_fastest_measured_is_named_when_anything_was_measured() -> None:
    assert none_left("tiny", 7.5).endswith("predicted to fit; the fastest measured took 7.5 ms")
    assert none_left("tiny", None).endswith("predicted to fit")
