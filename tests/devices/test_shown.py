from dataclasses import dataclass

from devices.shown import Shown, _text


@dataclass(frozen=True, slots=True, repr=False)
class Made(Shown):
    ms: float

    def shown(self) -> dict[str, object]:
        return {"latency": self.ms, "best <b>": ("a", 0.5), "unknown": None, "counts": {"x": 2}}


def test_a_result_is_a_few_lines_in_a_terminal() -> None:
    assert repr(Made(1.23456)) == ("Made\n  latency   1.235\n  best <b>  a, 0.5\n  counts    x: 2")


def test_items_with_commas_are_separated_by_semicolons() -> None:
    assert _text(("too few rows, of one device", "old")) == "too few rows, of one device; old"


def test_a_result_is_a_table_in_a_notebook() -> None:
    html = Made(2.0)._repr_html_()
    assert html.startswith("<table><caption>Made</caption>")
    assert ">best &lt;b&gt;</th>" in html
    assert html.count("<tr>") == 3
