from random import Random

from automoe.architecture.architecture import Architecture
from automoe.architecture.sampling import draw_distinct
from automoe.architecture.space import SearchSpace


def test_same_seed_same_architectures(tiny: SearchSpace) -> None:
    def draw(seed: int) -> list[Architecture]:
        rng = Random(seed)
        return [tiny.sample(rng) for _ in range(5)]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_more_distinct_architectures_are_added_at_the_end(tiny: SearchSpace) -> None:
    first = [tiny.largest()]
    few, many = (draw_distinct(tiny, n, 7, first=first) for n in (5, 30))
    assert few == many[:5]
    assert many[:1] == first
    assert len(set(many)) == 30


def test_a_space_of_one_architecture_is_exhausted_after_one(tiny: SearchSpace) -> None:
    only = {name: [choices[-1]] for name, choices in tiny.decoder if isinstance(choices, tuple)}
    encoder = {name: [choices[-1]] for name, choices in tiny.encoder if isinstance(choices, tuple)}
    single = SearchSpace.model_validate(
        {**tiny.model_dump(), "encoder": encoder, "decoder": only, "max_experts": 1}
    )
    assert single.count == 1
    assert draw_distinct(single, 3, 0) == [single.smallest()]
