import pytest

from automoe.progress import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (5.1e-05, "0.051 ms"),
        (0.00312, "3.1 ms"),
        (0.47, "0.47 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (358, "6 min"),
        (119 * 60, "119 min"),
        (2.56 * 3600, "2.6 h"),
        (47 * 3600, "47 h"),
        (224 * 3600, "9.3 days"),
    ],
)
def test_a_time_is_in_a_unit_that_is_easy_to_read(seconds: float, text: str) -> None:
    assert duration(seconds) == text
