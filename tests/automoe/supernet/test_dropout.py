import pytest
import torch

from automoe.supernet.dropout import dropout


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_the_share_is_dropped_wherever_a_value_stands(share: float) -> None:
    torch.manual_seed(0)
    out = dropout(torch.ones(100_000, 4), share, is_training=True)
    # Four standard deviations of a share of 100 000 draws, for each of the four values of a draw.
    tolerance = 4 * (share * (1 - share) / 100_000) ** 0.5
    assert (out == 0).float().mean(0).tolist() == pytest.approx([share] * 4, abs=tolerance)
    assert out.max() == pytest.approx(1 / (1 - share))
    # Neighbours are dropped independently of each other.
    both = ((out[:, 0] == 0) & (out[:, 1] == 0)).float().mean()
    assert float(both) == pytest.approx(share**2, abs=0.01)


def test_the_gradient_is_dropped_where_the_value_is() -> None:
    torch.manual_seed(0)
    x = torch.ones(7, 5, requires_grad=True)
    out = dropout(x, 0.5, is_training=True)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())
    assert 0 < int((out == 0).sum()) < out.numel()


def test_the_seed_decides() -> None:
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(dropout(torch.ones(50), 0.5, is_training=True))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


@pytest.mark.parametrize(("share", "is_training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped_outside_of_training(share: float, is_training: bool) -> None:
    x = torch.ones(3)
    assert dropout(x, share, is_training=is_training) is x


def test_the_type_is_kept() -> None:
    out = dropout(torch.ones(9, dtype=torch.bfloat16), 0.5, is_training=True)
    assert out.dtype == torch.bfloat16
