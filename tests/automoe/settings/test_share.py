import pytest
from pydantic import ValidationError

from automoe.settings.search import BudgetSettings, SearchSettings
from automoe.settings.share import parse_share


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.03", 0.03), (" 2.5 % ", 0.025)])
def test_a_share_is_a_number_or_a_percentage(text: str, share: float) -> None:
    assert parse_share(text, "--goal") == pytest.approx(share)


@pytest.mark.parametrize("text", ["3", "0", "-1%", "100%", "three", "nan", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'--goal' must be a share such as 3% or 0.03. Got"):
        parse_share(text, "--goal")


@pytest.mark.parametrize(("typed", "share"), [("90%", 0.9), ("0.9", 0.9), (0.9, 0.9)])
def test_a_setting_may_be_typed_as_a_percentage(typed: str | float, share: float) -> None:
    settings = SearchSettings(budget_ms=1, confidence=typed, mutation_probability=typed)
    assert settings.confidence == settings.mutation_probability == pytest.approx(share)


@pytest.mark.parametrize(("typed", "share"), [("80%", 0.8), ("1.2", 1.2), ("2", 2), (20, 20)])
def test_a_budget_may_be_more_than_the_whole(typed: str | float, share: float) -> None:
    assert BudgetSettings(budget_share=typed).budget_share == pytest.approx(share)


@pytest.mark.parametrize(("typed", "share"), [("80", r"0\.8 or 80%"), ("150", r"1\.5 or 150%")])
def test_a_budget_in_percent_needs_its_sign(typed: str, share: str) -> None:
    with pytest.raises(ValidationError, match=f"must be a share: write {share}"):
        BudgetSettings(budget_share=typed)


@pytest.mark.parametrize("typed", ["0%", "inf", "nan", "fast", -1])
def test_a_budget_that_is_no_share_is_refused(typed: str | float) -> None:
    with pytest.raises(ValidationError, match="budget_share"):
        BudgetSettings(budget_share=typed)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("95", r"must be a share: write 0\.95 or 95%"),
        ("sure", "must be a share such as 0.95 or 95%"),
        ("100%", "Input should be less than 1"),
    ],
)
def test_what_is_no_share_is_refused(typed: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SearchSettings(budget_ms=1, confidence=typed)
