"""This module computes the label-smoothed cross-entropy with few passes over the logits.

PyTorch's own function writes four tensors of the logits' size in an update and reads them again.
With a small model on a processor that is a third of the update. Here the gradient is written once,
from the logits and one number for each token.

Legend: M tokens, R tokens of a block, V vocabulary.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from automoe.text.special_tokens import PAD

_BLOCK = 2**18  # elements


def smoothed_cross_entropy(logits_MV: Tensor, target_M: Tensor, *, smoothing: float) -> Tensor:
    """Return the cross-entropy, summed over the tokens that are not padding, in nats.

    A target has the probability ``1 - smoothing``, and ``smoothing`` is spread over the whole
    vocabulary (Szegedy et al., 2016, section 7). Half-precision logits are computed in float32.
    """
    loss: Tensor = _SmoothedCrossEntropy.apply(logits_MV, target_M, smoothing)  # type: ignore[no-untyped-call] # torch
    return loss


class _SmoothedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits_MV: Tensor, target_M: Tensor, smoothing: float) -> Tensor:
        log_sum_M = torch.empty(len(logits_MV), device=logits_MV.device)
        expected_M = torch.empty_like(log_sum_M)
        for rows in _blocks(logits_MV):
            scores_RV = logits_MV[rows].float()
            of_target_R = scores_RV.gather(1, target_M[rows, None])[:, 0]
            expected_M[rows] = (1 - smoothing) * of_target_R + smoothing * scores_RV.mean(dim=1)
            log_sum_M[rows] = scores_RV.logsumexp(dim=1)
        ctx.save_for_backward(logits_MV, log_sum_M, target_M)
        ctx.smoothing = smoothing
        return (log_sum_M - expected_M).masked_fill(target_M == PAD, 0.0).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits_MV, log_sum_M, target_M = ctx.saved_tensors
        result_MV = torch.empty_like(logits_MV)
        weight_M1 = ((target_M != PAD) * gradient)[:, None]
        for rows in _blocks(logits_MV):
            # The gradient is softmax - smoothing / V, less 1 - smoothing at the target.
            result_RV = (logits_MV[rows].float() - log_sum_M[rows, None]).exp_()
            result_RV.sub_(ctx.smoothing / logits_MV.shape[1])
            taken_R1 = torch.full_like(log_sum_M[rows, None], ctx.smoothing - 1)
            result_RV.scatter_add_(1, target_M[rows, None], taken_R1)
            result_MV[rows] = result_RV.mul_(weight_M1[rows])
        return result_MV, None, None


def _blocks(logits_MV: Tensor) -> Iterator[slice]:
    """Yield blocks of rows that stay in a processor's cache; on a GPU, all rows at once."""
    n_rows, n_columns = logits_MV.shape
    size = max(1, _BLOCK // n_columns) if logits_MV.device.type == "cpu" else max(1, n_rows)
    for first in range(0, n_rows, size):
        yield slice(first, first + size)
