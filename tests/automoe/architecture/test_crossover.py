from random import Random

from automoe.architecture.space import SearchSpace


def test_crossover_takes_each_gene_from_a_parent(tiny: SearchSpace, rng: Random) -> None:
    left, right = tiny.smallest(), tiny.largest()
    for _ in range(100):
        child = tiny.crossover(left, right, rng)
        for layer in child.encoder.layers:
            assert layer.experts in {
                left.encoder.layers[0].experts,
                right.encoder.layers[0].experts,
            }
    assert tiny.crossover(left, left, rng) == left
