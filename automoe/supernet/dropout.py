"""This module drops values at random while a model is trained."""

import torch
from torch import Tensor
from torch.nn import functional as F

_BITS = 16  # of randomness for each value, so that a share is kept to 1 in 65 536


def dropout(x: Tensor, share: float, *, is_training: bool) -> Tensor:
    """Return ``x`` with this share of its values set to 0, and the others scaled up to make up.

    On a processor PyTorch draws a whole random number for each value, one after the other, which
    takes a tenth of an update. Here one of 64 bits serves four values.
    """
    if not (is_training and share):
        return x
    if x.device.type != "cpu":
        return F.dropout(x, share)
    n_values = x.numel()
    drawn = torch.empty(n_values // (64 // _BITS) + 1, dtype=torch.int64).random_(-(2**63), None)
    levels = drawn.view(torch.int16)[:n_values].view(x.shape)
    is_kept = levels >= round(share * 2**_BITS) - 2 ** (_BITS - 1)
    scale: Tensor = is_kept.to(x.dtype).mul_(1 / (1 - share))
    return x * scale
