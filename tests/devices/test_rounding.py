import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rounding import counted, percent_down, percent_up, rounded, rounded_down, rounded_up

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.3456, "12.35"), (9999.97, "10000"), (12345.6, "12350"), (0.001, "0.001"), (0.0, "0")],
)
def test_a_latency_of_a_slow_board_has_no_exponent(value: float, text: str) -> None:
    assert rounded(value) == text


@given(NUMBERS, st.integers(1, 6))
def test_a_limit_holds_as_it_is_printed(value: float, digits: int) -> None:
    low, high = float(rounded_down(value, digits)), float(rounded_up(value, digits))
    assert low <= value <= high
    assert high - low <= 2 * 10.0 ** (1 - digits) * abs(value)


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_a_limit_holds_with_so_many_places(value: float, places: int) -> None:
    low, high = rounded_down(value, places=places), rounded_up(value, places=places)
    assert float(low) <= value <= float(high)
    assert float(high) - float(low) <= 1.01 * 10.0**-places
    assert {len(text.partition(".")[2]) for text in (low, high)} == {places}


@given(st.integers(1, 999), st.integers(-6, 2))
def test_a_limit_that_needs_no_rounding_stays(number: int, exponent: int) -> None:
    value = float(f"{number}e{exponent}")
    assert float(rounded_up(value, 3)) == float(rounded_down(value, 3)) == value


@pytest.mark.parametrize(
    ("value", "digits", "low", "high"),
    [
        (2.47, 3, "2.47", "2.47"),  # 247.00000000000003 steps of 0.01
        (0.007, 3, "0.007", "0.007"),
        (2.4691, 3, "2.46", "2.47"),
        (12345.6, 4, "12340", "12350"),
        (-0.98765, 2, "-0.99", "-0.98"),
        (0.0, 4, "0", "0"),
        (math.inf, 4, "inf", "inf"),
    ],
)
def test_the_texts_of_some_limits(value: float, digits: int, low: str, high: str) -> None:
    assert (rounded_down(value, digits), rounded_up(value, digits)) == (low, high)


def test_a_limit_just_below_zero_is_zero() -> None:
    assert rounded_up(-0.001, places=2) == "0.00"


@pytest.mark.parametrize(
    ("share", "low", "high"),
    [
        (0.57, "57.0 %", "57.0 %"),  # 100 times that is 56.99999999999999
        (0.07, "7.0 %", "7.0 %"),  # 7.000000000000001
        (0.91789, "91.7 %", "91.8 %"),
        (0.99999, "99.9 %", "100.0 %"),
        (math.inf, "inf %", "inf %"),
    ],
)
def test_a_share_in_percent_holds_as_it_is_printed(share: float, low: str, high: str) -> None:
    assert (percent_down(share), percent_up(share)) == (low, high)


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [counted(n, "row is", "rows are") for n in (1, 3)] == ["1 row is", "3 rows are"]
