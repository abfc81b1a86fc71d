import pytest

from profilers.audit.problem import Problem, describe_lines


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((7,), "line 7"),
        ((2, 3, 4), "lines 2-4"),
        ((2, 3, 4, 9), "lines 2-4, 9 (4 in all)"),
        ((2, 4, 6, 8, 10), "lines 2, 4, 6, 8, 10 (5 in all)"),
        ((2, 4, 6, 8, 10, 12, 13), "lines 2, 4, 6, 8, 10, ... (7 in all)"),
    ],
)
def test_lines_are_told_as_ranges_and_only_the_first_few(rows: tuple[int, ...], text: str) -> None:
    assert describe_lines(rows) == text


def test_a_problem_names_each_line_once_and_in_order() -> None:
    (problem,) = Problem.at([9, 3, 9, 4], "unit", "warning", message="odd", remedy="mend it")
    assert problem == Problem(
        "unit", "warning", "odd: lines 3-4, 9 (3 in all)", "mend it", (3, 4, 9)
    )
