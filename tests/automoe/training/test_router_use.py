import math
from random import Random

import pytest
import torch

from automoe.architecture.space import SearchSpace
from automoe.supernet import Output, Routing, Transformer, TransformerConfig
from automoe.training import TrainingData
from automoe.training.router_use import RouterUse


def routing(probabilities: list[list[float]], counted: list[bool]) -> Routing:
    probability_TN = torch.tensor(probabilities)
    expert_TK = probability_TN.argmax(dim=1, keepdim=True)
    return Routing(probability_TN, probability_TN.log(), expert_TK, torch.tensor(counted))


def test_load_and_entropy_by_hand(space: SearchSpace) -> None:
    architecture = next(
        a
        for a in (space.sample(Random(n)) for n in range(200))
        if [len(x.experts) for x in (*a.encoder.layers, *a.decoder.layers)] == [1, 2, 3]
    )
    use = RouterUse(architecture)
    assert use.figures() == {}
    logits = torch.zeros(1, 1, 1)
    even, sure = [0.5, 0.5], [0.0, 1.0]
    third = [0.25, 0.25, 0.5]
    use.add(
        Output(logits, (routing([even, sure], [True, True]), routing([third] * 2, [True, False])))
    )
    use.add(Output(logits, (routing([sure, even], [True, False]), routing([third], [True]))))
    assert use.figures() == pytest.approx(
        {
            "encoder.1/load.0": 1 / 3,  # of three tokens, the first one alone
            "encoder.1/load.1": 2 / 3,
            "encoder.1/entropy": math.log(2) / 3,
            "decoder.0/load.0": 0.0,
            "decoder.0/load.1": 0.0,
            "decoder.0/load.2": 1.0,
            "decoder.0/entropy": 1.5 * math.log(2),
        }
    )
    assert use.loads() == {"encoder 2": pytest.approx([1 / 3, 2 / 3]), "decoder 1": [0, 0, 1]}


def test_every_sparse_layer_of_a_model_is_there(space: SearchSpace, data: TrainingData) -> None:
    model = Transformer(TransformerConfig.for_space(space)).eval()
    use = RouterUse(space.largest())
    for batch in data.validation_batches(120):
        use.add(model(batch.source_BS, batch.target_in_BT))
    figures = use.figures()
    for layer in ("encoder.0", "encoder.1", "decoder.0", "decoder.1"):
        assert sum(figures[f"{layer}/load.{expert}"] for expert in range(3)) == pytest.approx(1)
        assert 0 < figures[f"{layer}/entropy"] <= math.log(3) + 1e-6
    assert len(figures) == 4 * 4
