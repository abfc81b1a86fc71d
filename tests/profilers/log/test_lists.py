import pytest

from profilers.log.lists import is_one_number, parse_list


@pytest.mark.parametrize(
    ("cell", "entries"),
    [
        *(("[3072, 2048]", [3072, 2048]), ("(3072, 2048,)", [3072, 2048])),
        *(("3072_2048", [3072, 2048]), ("3072 2048", [3072, 2048])),
        *(("1e3 -2.5;.5", [1000, -2.5, 0.5]), ("7", [7]), ((1, 2), [1, 2])),
        *(("", []), ("[]", []), ("[1, 2", []), ("[1, x]", []), ("3x3", [])),
    ],
)
def test_lists_are_read_however_they_are_written(cell: object, entries: list[float]) -> None:
    assert parse_list(cell) == entries


def test_an_underscore_makes_no_number() -> None:
    assert [is_one_number(x) for x in ("1_0", "10", "1.", "inf", "1,5")] == [
        *(False, True, True, True, False),
    ]
