from collections.abc import Sequence
from random import Random

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.search import Evolution, EvolutionSettings
from automoe.search.prescreening import ridge_predictions

SIZES = {"population": 20, "parents": 5, "mutants": 6, "crossovers": 6, "generations": 3}


def heads_of(architecture: Architecture) -> float:
    return float(sum(layer.heads for layer in architecture.encoder.layers))


def heads(architectures: Sequence[Architecture]) -> pd.DataFrame:
    return pd.DataFrame({"heads": map(heads_of, architectures), "constant": 1.0})


def test_a_fitness_that_is_linear_in_the_logarithms_is_predicted(space: SearchSpace) -> None:
    rng = Random(1)
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
    fitness = {a: 3.0 - 0.5 * np.log1p(heads_of(a)) for a in drawn}
    known = dict(list(fitness.items())[:20])
    predicted = ridge_predictions(heads)(known, drawn[20:])
    assert predicted == pytest.approx([fitness[a] for a in drawn[20:]], abs=0.02)


def run(space: SearchSpace, prescreen: int, predict: object) -> list[list[Architecture]]:
    settings = EvolutionSettings(**SIZES, prescreen=prescreen)
    evolution = Evolution(
        space,
        settings,
        are_feasible=lambda some: [True] * len(some),
        predict=predict,  # type: ignore[arg-type]
    )
    generations = []
    while not evolution.is_finished:
        generations.append(evolution.ask())
        evolution.tell({a: heads_of(a) for a in generations[-1]})
    return generations


def test_children_with_the_best_predictions_are_evaluated(space: SearchSpace) -> None:
    asked: list[int] = []

    def predict(known: object, candidates: Sequence[Architecture]) -> list[float]:
        asked.append(len(candidates))
        return [heads_of(a) for a in candidates]

    screened, plain = run(space, 10, predict), run(space, 1, predict)
    assert max(asked) == 60  # ten times the mutants or the crossovers
    assert screened[0] == plain[0]
    assert [len(each) for each in screened] == [20, 12, 12]
    means = [np.mean(list(map(heads_of, each[1]))) for each in (screened, plain)]
    assert means[0] < means[1]
    everything = [a for each in screened for a in each]
    assert len(set(everything)) == len(everything)


def test_without_predictions_the_algorithm_is_the_papers(space: SearchSpace) -> None:
    assert run(space, 1, ridge_predictions(heads)) == run(space, 10, None)


def test_the_number_of_children_is_bounded() -> None:
    with pytest.raises(ValidationError, match="prescreen"):
        EvolutionSettings(prescreen=0)
