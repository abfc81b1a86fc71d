from automoe.report import Candidate
from automoe.report.contents import pareto_front


def test_the_front_holds_what_nothing_beats_fastest_first(candidates: list[Candidate]) -> None:
    assert [(c.upper_ms, c.loss) for c in pareto_front(candidates)] == [(5, 4), (7, 3), (9, 2)]


def test_the_front_compares_upper_bounds_not_predictions() -> None:
    def spread(predicted_ms: float, upper_ms: float, loss: float) -> Candidate:
        return Candidate(
            architecture_id=f"{loss}",
            predicted_ms=predicted_ms,
            upper_ms=upper_ms,
            loss=loss,
            generation=0,
        )

    # By prediction the first would be fastest; its bound is beaten in both.
    front = pareto_front([spread(1, 9, 3), spread(2, 4, 2)])
    assert [c.upper_ms for c in front] == [4]


def test_nothing_has_an_empty_front() -> None:
    assert pareto_front([]) == []


def test_of_two_as_fast_the_better_one_is_in_front() -> None:
    def bound(loss: float) -> Candidate:
        return Candidate(architecture_id="x", predicted_ms=1, upper_ms=3, loss=loss, generation=0)

    assert [c.loss for c in pareto_front([bound(5), bound(4)])] == [4]
