import pytest

from profilers.workload.symbols import size_of_expression


@pytest.mark.parametrize(
    ("symbol", "size"),
    [
        *(("past + 1", 8), ("past+q", 9), ("2*past", 14), ("past*2 + 4*q", 22)),
        *(("past//2", 3), ("(past - 1)/2", 3), ("floor(past/2)", 3), ("ceiling(past/2)", 4)),
        *(("floor(floor(past/2)/2 + 1)", 2), ("Max(1, q, past)", 7), ("past % 4", 3)),
        *(("my-len.0 + 1", 6), ("s10 + 1", 101), ("s1 + s10", 110)),
        # No expression of what is known, or no size.
        *(("past", 7), ("other + 1", None), ("past + other", None), ("past - 8", None)),
        *(("past/2", None), ("past/(q - 2)", None), ("2**past", None), ("past +", None)),
        *(("?", None), ("", None), ("exit(past)", None), ("past.real", None), ("max()", None)),
        *(("(" * 300 + "past", None), ("past_2 + 1", None), ("unk__7", None)),
    ],
)
def test_an_expression_has_the_size_that_it_tells(symbol: str, size: int | None) -> None:
    sizes = {"past": 7, "q": 2, "my-len.0": 5, "s1": 10, "s10": 100}
    assert size_of_expression(symbol, sizes) == size


def test_without_sizes_nothing_is_an_expression() -> None:
    assert size_of_expression("2*n", {}) is None
