import pytest
import torch
from torch.nn import functional as F

from automoe.text.special_tokens import PAD
from automoe.training.smoothed_cross_entropy import smoothed_cross_entropy

TARGET = torch.tensor([5, PAD, 2, 7, 5])


@pytest.fixture
def logits(torch_rng: torch.Generator) -> torch.Tensor:
    return (4 * torch.randn(5, 8, generator=torch_rng)).requires_grad_()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_loss_and_gradient_are_those_of_pytorch(logits: torch.Tensor, smoothing: float) -> None:
    of_pytorch = F.cross_entropy(
        logits, TARGET, ignore_index=PAD, reduction="sum", label_smoothing=smoothing
    )
    loss = smoothed_cross_entropy(logits, TARGET, smoothing=smoothing)
    torch.testing.assert_close(loss, of_pytorch)
    (gradient,) = torch.autograd.grad(3 * loss, logits)
    (expected,) = torch.autograd.grad(3 * of_pytorch, logits)
    torch.testing.assert_close(gradient, expected)
    assert gradient[1].tolist() == [0.0] * 8  # padding


def test_half_precision_is_computed_in_float32(logits: torch.Tensor) -> None:
    half = logits.detach().bfloat16().requires_grad_()
    loss = smoothed_cross_entropy(half, TARGET, smoothing=0.1)
    assert loss.dtype == torch.float32
    whole = half.detach().float().requires_grad_()
    expected = smoothed_cross_entropy(whole, TARGET, smoothing=0.1)
    assert torch.equal(loss, expected)
    (gradient,) = torch.autograd.grad(loss, half)
    (exact,) = torch.autograd.grad(expected, whole)
    assert torch.equal(gradient, exact.bfloat16())
