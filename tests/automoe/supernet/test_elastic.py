import pytest
import torch

from automoe.supernet.elastic import ElasticLinear, front, linear_of_all


def test_a_front_slice_of_everything_is_the_weight_itself() -> None:
    weight = torch.arange(12.0).view(3, 4)
    assert front(weight, 3, 4) is weight
    assert front(weight, 2, 3).tolist() == [[0, 1, 2], [4, 5, 6]]
    assert front(weight, 3, 2).tolist() == [[0, 1], [4, 5], [8, 9]]


@pytest.mark.parametrize("n_rows", [3, 500])
@pytest.mark.parametrize("in_dim", [6, 8])
def test_one_product_of_all_layers_is_that_of_each(
    n_rows: int, in_dim: int, torch_rng: torch.Generator
) -> None:
    layers = [ElasticLinear(8, width) for width in (4, 5, 4)]
    x = torch.randn(1, n_rows, in_dim, generator=torch_rng)
    weights = [weight for layer in layers for weight in layer.parameters()]
    outputs, gradients = [], []
    for computed in (linear_of_all(x, *layers), tuple(layer(x) for layer in layers)):
        outputs.append(computed)
        loss = sum(part.square().sum() for part in computed)
        gradients.append(torch.autograd.grad(loss, weights))
    for one, each in zip(*outputs, strict=True):
        torch.testing.assert_close(one, each)
    for one, each in zip(*gradients, strict=True):
        torch.testing.assert_close(one, each, rtol=1e-4, atol=1e-3)
