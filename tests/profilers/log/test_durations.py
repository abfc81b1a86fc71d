import pytest

from profilers.log.durations import milliseconds_of


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0:00:00.348", 348),
        ("2 days 01:00:00", 176_400_000),
        ("100:00:00", 360_000_000),
        ("1-02:03:04", 93_784_000),
        ("0:00:00,5", 500),
        ("1m2.5s", 62_500),
        ("1h 2m 3s", 3_723_000),
        ("1ms500us", 1.5),
        ("P1DT1S", 86_401_000),
        ("PT1H", 3_600_000),
    ],
)
def test_a_duration_in_parts_is_read(cell: str, expected: float) -> None:
    assert milliseconds_of(cell, is_time=True) == pytest.approx(expected)


@pytest.mark.parametrize(
    "cell",
    [
        "16:09",
        "12:30:15",
        "1:75:00",
        "1a2b",
        "PT",
        "p2d",
        "348 ms",
        "64m32m",
        "1s2m",
        "12",
        "",
        "1:2:3:4",
    ],
)
def test_other_cells_are_none(cell: str) -> None:
    assert milliseconds_of(cell, is_time=False) is None


def test_hours_may_lack_in_a_column_of_durations() -> None:
    assert milliseconds_of("1:02.5", is_time=True) == 62_500
