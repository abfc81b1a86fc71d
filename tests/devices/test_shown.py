from dataclasses import dataclass

import pytest

from devices.shown import Shown, in_words


@dataclass(frozen=True, slots=True, repr=False)
class Made(Shown):
    ms: float

    def shown(self) -> dict[str, object]:
        return {"latency": self.ms, "best <b>": ("a", 0.5), "unknown": None, "counts": {"x": 2}}


def test_a_result_is_a_few_lines_in_a_terminal() -> None:
    assert repr(Made(1.23456)) == ("Made\n  latency   1.235\n  best <b>  a, 0.5\n  counts    x: 2")


def test_a_result_is_a_table_in_a_notebook() -> None:
    html = Made(2.0)._repr_html_()
    assert html.startswith("<table><caption>Made</caption>")
    assert ">best &lt;b&gt;</th>" in html
    assert html.count("<tr>") == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0550081149914182, "0.05501"),
        (1234.56789, "1235"),
        (12345.6789, "12346"),
        (8192, "8192"),
        (("a", "b"), "a, b"),
        (("too few rows, of one device", "old"), "too few rows, of one device; old"),
        ((), "none"),
        ({"ci_unmet": 1, "contended": 2.0}, "ci_unmet: 1, contended: 2"),
        (None, "unknown"),
    ],
)
def test_values_are_written_for_people(value: object, text: str) -> None:
    assert in_words(value) == text


@dataclass(frozen=True, slots=True, repr=False)
class Plain(Shown):
    latency_min_ms: float
    first_at: str | None


def test_a_result_shows_all_that_it_has_unless_it_chooses() -> None:
    assert repr(Plain(2.5, None)) == "Plain\n  latency min ms  2.5"
