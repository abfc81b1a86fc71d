from dataclasses import replace

from automoe.report import render_fit
from predictors import Predictor


def test_a_fit_has_a_page_of_its_own(predictor: Predictor) -> None:
    page = render_fit(predictor, log="mine.csv", command="automoe fit mine.csv -o p.skops")
    assert "3.1 % mean error on rows that it had not seen" in page
    assert "automoe fit mine.csv -o p.skops" in page
    assert page.count("<figure") == 3


def test_warnings_make_it_doubtful(predictor: Predictor) -> None:
    warned = replace(predictor.report, warnings=("40 of 40 rows are <flagged>",))
    page = render_fit(replace(predictor, report=warned), log="mine.csv", command="")
    assert 'class="verdict doubtful"' in page
    assert "40 of 40 rows are &lt;flagged&gt;" in page
