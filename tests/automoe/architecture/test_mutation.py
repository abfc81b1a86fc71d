from random import Random

from automoe.architecture.space import SearchSpace


def test_mutation_without_probability_is_the_parent(tiny: SearchSpace, rng: Random) -> None:
    parent = tiny.sample(rng)
    assert tiny.mutate(parent, rng, probability=0.0) == parent


def test_mutation_reaches_every_part(tiny: SearchSpace, rng: Random) -> None:
    parent = tiny.smallest()
    children = [tiny.mutate(parent, rng, probability=0.3) for _ in range(300)]
    assert {len(c.decoder.layers) for c in children} == {1, 2, 3}
    assert {len(c.encoder.layers[0].experts) for c in children} == {1, 2, 3, 4}
    assert {c.encoder.embed_dim for c in children} == {128, 160}
    assert {c.decoder.layers[0].cross_span for c in children} == {1, 2, 3}
