"""This module has the feed-forward part of a layer: one network, or a router and experts.

Legend: B batch, T positions, D width, N experts, K experts per token; M = B * T tokens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automoe.supernet.elastic import ElasticLinear
from automoe.supernet.routing import Routing


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between them. Any number of the first hidden units is used."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.expand = ElasticLinear(dim, width)
        self.contract = ElasticLinear(width, dim)

    def forward(self, x_D: Tensor, width: int, dropout: float = 0.0) -> Tensor:
        """Map ``[*, D]`` to ``[*, D]`` through ``width`` hidden units, which training may drop."""
        hidden = F.relu(self.expand(x_D, width))
        if dropout:
            hidden = F.dropout(hidden, dropout, self.training)
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
        if len(widths) == 1 or self.router is None:
            return self.experts[0](x_BTD, widths[0]), None
        x_MD = x_BTD.flatten(0, 1)
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
        out_MD = torch.zeros_like(x_MD)
        for index, width in enumerate(widths):
            token, _ = (routing.expert_TK == index).nonzero(as_tuple=True)
            if len(token):
                served_MD = self.experts[index](x_MD[token], width, self.dropout)
                scale_M = routing.probability_TN[token, index].unsqueeze(1).to(served_MD.dtype)
                out_MD = out_MD.index_add(0, token, (served_MD * scale_M).to(out_MD.dtype))
        return out_MD
