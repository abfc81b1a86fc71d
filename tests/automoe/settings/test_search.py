import pytest

from automoe.architecture.space import SearchSpace
from automoe.settings.search import BudgetSettings, EvolutionSettings, SearchSettings


@pytest.mark.parametrize(
    ("preset", "max_experts", "fractional", "generations"),
    [
        # Counted by `automoe space`: 4.1e7, 1.7e17, 4.2e14, 8.9e23 and 2.2e45 architectures.
        ("tiny", 1, False, 11),
        ("tiny", 4, True, 16),
        ("wmt14-en-de", 1, False, 14),
        ("wmt14-en-de", 6, False, 19),
        ("wmt14-en-de", 6, True, 30),
    ],
)
def test_a_larger_space_has_more_generations_up_to_those_of_the_paper(
    preset: str, max_experts: int, fractional: bool, generations: int
) -> None:
    space = SearchSpace.preset(preset, max_experts=max_experts, fractional=fractional)
    assert SearchSettings(budget_ms=1).suited(space.count).generations == generations


def test_the_largest_count_there_is_has_the_generations_of_the_paper() -> None:
    assert EvolutionSettings().suited(10**400).generations == 30
    assert EvolutionSettings().suited(1).generations == 7


@pytest.mark.parametrize("given", [1, 30, 100])
def test_generations_that_were_given_stay_as_they_are(given: int) -> None:
    settings = EvolutionSettings(generations=given)
    begun = {"generations": 12, "prescreen": 1}
    assert settings.suited(26_208).generations == given
    assert settings.suited(26_208, begun=begun).generations == given


def test_a_search_that_has_begun_keeps_what_it_began_with() -> None:
    begun = {"generations": 30, "prescreen": 1}
    settings = EvolutionSettings().suited(26_208, begun=begun)
    assert (settings.generations, settings.prescreen) == (30, 1)
    assert EvolutionSettings(prescreen=4).suited(26_208, begun=begun).prescreen == 4


def test_evaluations_are_those_of_the_first_generation_and_of_the_later_ones() -> None:
    settings = EvolutionSettings(population=12, parents=4, mutants=5, crossovers=6)
    assert [settings.evaluations(n) for n in (-1, 0, 1, 2, 4)] == [0, 0, 12, 23, 45]
    assert EvolutionSettings().evaluations(30) == 3025


def test_a_share_is_of_the_largest_dense_latency() -> None:
    asked = BudgetSettings(budget_share=0.5, generations=2)
    assert asked.settings(7.0).budget_ms == 3.5
    assert asked.settings(0.0001).budget_ms == 0.00005
    assert asked.settings(7.0).model_fields_set == {"budget_ms", "generations"}


def test_a_budget_in_milliseconds_stays_as_it_is() -> None:
    assert BudgetSettings(budget_ms=12).settings(7.0).budget_ms == 12
