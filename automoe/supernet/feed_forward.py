"""This module has the feed-forward part of a layer: one network, or a router and experts.

Legend: B batch, T positions, D width, N experts, K experts per token; M = B * T tokens; R = M * K
rows, each a token for one of its experts.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from automoe.supernet.dropout import dropout
from automoe.supernet.elastic import ElasticLinear
from automoe.supernet.routing import Routing


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between them. Any number of the first hidden units is used."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.expand = ElasticLinear(dim, width)
        self.contract = ElasticLinear(width, dim)

    def forward(self, x_D: Tensor, width: int, share: float = 0.0) -> Tensor:
        """Map ``[*, D]`` to ``[*, D]`` through ``width`` hidden units, which training may drop."""
        # In place is slower than a copy unless the input is a matrix, as it is in a layer.
        hidden = F.relu(self.expand(x_D, width), inplace=True)
        if share:
            hidden = dropout(hidden, share, is_training=self.training)
        out_D: Tensor = self.contract(hidden, x_D.shape[-1])
        return out_D


class ExpertLayer(nn.Module):
    """A layer of experts. A subnet uses the first few of them, each up to a width of its own.

    Each token goes to its ``top_k`` most probable experts, whose outputs are scaled by the
    router's probabilities (Switch Transformer). No token is dropped. A layer with one expert is
    dense: it has no router and scales nothing.
    """

    def __init__(
        self,
        dim: int,
        widths: tuple[int, ...],
        *,
        top_k: int,
        jitter: float,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.experts = nn.ModuleList(FeedForward(dim, width) for width in widths)
        self.router = ElasticLinear(dim, len(widths)) if len(widths) > 1 else None
        self.top_k = top_k
        self.jitter = jitter
        self.dropout = dropout  # of the experts of a sparse layer (Switch Transformer, 2.4)

    def forward(
        self, x_BTD: Tensor, widths: tuple[int, ...], counted_BT: Tensor
    ) -> tuple[Tensor, Routing | None]:
        """Serve ``[B, T, D]`` by experts of the given widths.

        ``counted_BT`` is false for padding. The routing is None in a dense layer.
        """
        x_MD = x_BTD.flatten(0, 1)
        if len(widths) == 1 or self.router is None:
            return self.experts[0](x_MD, widths[0]).view_as(x_BTD), None
        routing = self._route(x_MD, len(widths), counted_BT.flatten())
        return self._serve(x_MD, widths, routing).view_as(x_BTD), routing

    def _route(self, x_MD: Tensor, n_experts: int, counted_M: Tensor) -> Routing:
        if self.router is None:
            raise ValueError("a layer with one expert has no router")
        # Half precision is too coarse for the router's softmax (Switch Transformer, 2.4).
        with torch.autocast(x_MD.device.type, enabled=False):
            routed_MD = x_MD.float()
            if self.training and self.jitter:
                noise_MD = torch.empty_like(routed_MD).uniform_(1 - self.jitter, 1 + self.jitter)
                routed_MD = routed_MD * noise_MD
            logits_MN = self.router(routed_MD, n_experts)
            probability_MN = logits_MN.softmax(dim=1)
        expert_MK = probability_MN.topk(min(self.top_k, n_experts), dim=1).indices
        return Routing(probability_MN, logits_MN, expert_MK, counted_M)

    def _serve(self, x_MD: Tensor, widths: tuple[int, ...], routing: Routing) -> Tensor:
        """Sort the rows by their experts, so that each expert reads one block of them."""
        expert_MK = routing.expert_TK
        expert_R, top_k = expert_MK.flatten(), expert_MK.shape[1]
        order_R = expert_R.argsort()
        place_R = torch.empty_like(order_R)
        place_R[order_R] = torch.arange(len(order_R), device=order_R.device)
        sizes = torch.bincount(expert_R, minlength=len(widths)).tolist()
        x_RD = x_MD if top_k == 1 else x_MD.repeat_interleave(top_k, dim=0)
        sorted_RD = _permuted(x_RD, order_R, place_R)
        served = [
            expert(rows_D, width, self.dropout)
            for expert, rows_D, width in zip(
                self.experts, torch.split(sorted_RD, sizes), widths, strict=False
            )
            if len(rows_D)
        ]
        served_RD = _permuted(torch.cat(served), place_R, order_R)
        scale_R1 = routing.probability_TN.gather(1, expert_MK).view(-1, 1).to(served_RD.dtype)
        scaled_RD = (served_RD * scale_R1).to(x_MD.dtype)
        return scaled_RD if top_k == 1 else scaled_RD.view(-1, top_k, x_MD.shape[1]).sum(dim=1)


class _Permuted(torch.autograd.Function):
    """Rows in another order, and the rows of the gradient in the first order again.

    The gradient of `Tensor.index_select` would add row by row to zeros.
    """

    @staticmethod
    def forward(ctx: Any, x_RD: Tensor, order_R: Tensor, place_R: Tensor) -> Tensor:
        """Return row ``order_R[i]`` as row i. ``place_R`` is the inverse of ``order_R``."""
        ctx.save_for_backward(place_R)
        return x_RD.index_select(0, order_R)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_RD: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the rows in their first order."""
        (place_R,) = ctx.saved_tensors
        return gradient_RD.index_select(0, place_R), None, None


def _permuted(x_RD: Tensor, order_R: Tensor, place_R: Tensor) -> Tensor:
    out_RD: Tensor = _Permuted.apply(x_RD, order_R, place_R)  # type: ignore[no-untyped-call] # torch
    return out_RD
