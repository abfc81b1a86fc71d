from itertools import product
from random import Random

import pytest
from pydantic import ValidationError
from support.small_text import small_space

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.architecture.space import SearchSpace
from automoe.search import Evolution, EvolutionSettings

SETTINGS = EvolutionSettings(
    population=20, parents=5, mutants=8, crossovers=8, generations=6, seed=3
)


def size_of(a: Architecture) -> int:
    stacks = (a.encoder, a.decoder)
    return sum(w for stack in stacks for layer in stack.layers for w in layer.experts)


def run(space: SearchSpace, settings: EvolutionSettings, limit: int, **more: object) -> list:  # type: ignore[type-arg]
    evolution = Evolution(
        space,
        settings,
        are_feasible=lambda some: [size_of(a) <= limit for a in some],
        **more,  # type: ignore[arg-type]
    )
    generations = []
    while not evolution.is_finished:
        asked = evolution.ask()
        generations.append(asked)
        evolution.tell({a: -float(size_of(a)) for a in asked})
    return generations


def test_generations_are_feasible_distinct_and_of_the_papers_sizes(space: SearchSpace) -> None:
    generations = run(space, SETTINGS, 250)
    assert [len(asked) for asked in generations] == [20, *[16] * 5]
    everything = [a for asked in generations for a in asked]
    assert len(set(everything)) == len(everything)
    assert all(size_of(a) <= 250 for a in everything)
    for architecture in everything:
        space.check(architecture)


def test_crossovers_that_the_parents_have_no_more_of_are_replaced_by_mutants(
    space: SearchSpace,
) -> None:
    # One parent crossed with itself is itself.
    alone = SETTINGS.model_copy(update={"parents": 1})
    generations = run(space, alone, 250)
    assert [len(asked) for asked in generations] == [20, *[16] * 5]
    everything = [a for asked in generations for a in asked]
    assert len(set(everything)) == len(everything)


def test_the_same_seed_asks_the_same(space: SearchSpace) -> None:
    assert run(space, SETTINGS, 250) == run(space, SETTINGS, 250)
    other = SETTINGS.model_copy(update={"seed": 4})
    assert run(space, SETTINGS, 250) != run(space, other, 250)


def test_told_generations_are_gone_on_from(space: SearchSpace) -> None:
    generations = run(space, SETTINGS, 250)
    resumed = Evolution(
        space, SETTINGS, are_feasible=lambda some: [size_of(a) <= 250 for a in some]
    )
    for asked in generations[:3]:
        resumed.tell({a: -float(size_of(a)) for a in asked})
    assert resumed.ask() == generations[3]


def test_a_budget_that_random_draws_never_meet_is_filled_from_the_start(
    space: SearchSpace,
) -> None:
    smallest = space.smallest()
    generations = run(space, SETTINGS, size_of(smallest), start=[smallest])
    assert smallest in generations[0]
    assert all(size_of(a) <= size_of(smallest) for asked in generations for a in asked)


def test_a_tight_budget_still_fills_the_first_generation() -> None:
    # One in 27648 draws has the least widths: three layers of one expert of 12, 16 wide of 32.
    space = small_space(max_experts=12)
    limit, rng = size_of(space.smallest()), Random(0)
    assert not any(size_of(space.sample(rng)) <= limit for _ in range(1200))
    generations = run(space, SETTINGS, limit, start=[space.smallest()])
    assert len(generations[0]) == len(set(generations[0])) == SETTINGS.population
    assert all(size_of(a) == limit for asked in generations for a in asked)


def test_parents_keep_their_experts(space: SearchSpace) -> None:
    # The published search appended a child's widths to its parent's own list.
    evolution = Evolution(space, SETTINGS, are_feasible=lambda some: [True] * len(some))
    asked = evolution.ask()
    before = [a.to_json() for a in asked]
    evolution.tell({a: float(size_of(a)) for a in asked})
    evolution.ask()
    assert [a.to_json() for a in asked] == before


def test_the_best_never_gets_worse(space: SearchSpace) -> None:
    evolution = Evolution(space, SETTINGS, are_feasible=lambda some: [True] * len(some))
    best: list[int] = []
    while not evolution.is_finished:
        evolution.tell({a: abs(size_of(a) - 300) for a in evolution.ask()})
        best.append(abs(size_of(evolution.ranked()[0]) - 300))
    assert best == sorted(best, reverse=True)
    told = [abs(size_of(a) - 300) for a in evolution.ranked()]
    assert told == sorted(told)


def test_an_exhausted_space_ends() -> None:
    # Eight architectures: two widths in the encoder's layer, the decoder's, and its heads.
    side = {"embed_dim": (16,), "layers": (1,), "heads": (1,), "ffn_dim": (16, 32)}
    decoder = {**side, "heads": (1, 2), "cross_heads": (1,), "cross_span": (1,)}
    eight = small_space(encoder=side, decoder=decoder, max_experts=1, fractional=False)
    assert eight.count == 8
    generations = run(eight, SETTINGS, 1000)
    everything = [a for asked in generations for a in asked]
    assert len(everything) == len(set(everything)) == 8
    assert len(generations) == SETTINGS.generations
    assert generations[-1] == []


def test_an_impossible_constraint_ends(space: SearchSpace) -> None:
    assert [len(asked) for asked in run(space, SETTINGS, 0)] == [0] * 6


def test_the_best_of_the_last_generation_counts(space: SearchSpace) -> None:
    evolution = Evolution(space, SETTINGS, are_feasible=lambda some: [True] * len(some))
    for _ in range(SETTINGS.generations):
        asked = evolution.ask()
        evolution.tell({a: -float(evolution.generation) for a in asked})
    assert evolution.ranked()[0] in asked


def everything_of(space: SearchSpace) -> list[Architecture]:
    e, d = space.encoder, space.decoder
    return [
        Architecture(
            Encoder(ee, tuple(EncoderLayer(h, (f,)) for h, f in layers)),
            Decoder(de, (DecoderLayer(sh, (df,), ch, span),)),
            space.qkv_dim,
        )
        for ee, layers, de, sh, df, ch, span in product(
            e.embed_dim,
            product(product(e.heads, e.ffn_dim), repeat=2),
            d.embed_dim,
            d.heads,
            d.ffn_dim,
            d.cross_heads,
            d.cross_span,
        )
    ]


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_optimum_of_an_enumerated_space(seed: int) -> None:
    dense = small_space(max_experts=1, fractional=False)
    dense = dense.model_copy(update={"decoder": dense.decoder.model_copy(update={"layers": (1,)})})
    every = everything_of(dense)
    assert len(set(every)) == dense.count == 1024

    def score(a: Architecture) -> float:
        layers = (*a.encoder.layers, *a.decoder.layers)
        return -sum((i + 1) * x.heads * x.experts[0] for i, x in enumerate(layers))

    feasible = [a for a in every if size_of(a) <= 64]
    settings = EvolutionSettings(
        population=60, parents=10, mutants=20, crossovers=20, generations=8, seed=seed
    )
    evolution = Evolution(
        dense, settings, are_feasible=lambda some: [size_of(a) <= 64 for a in some]
    )
    while not evolution.is_finished:
        evolution.tell({a: score(a) for a in evolution.ask()})
    assert score(evolution.ranked()[0]) == min(map(score, feasible))


def test_more_parents_than_population_is_refused() -> None:
    with pytest.raises(ValidationError, match="parents must be at most population=10"):
        EvolutionSettings(population=10)
