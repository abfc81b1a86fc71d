"""This module holds a router's decisions and computes how evenly they use the experts.

Legend: T tokens, N experts, K experts per token.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Routing:
    """The decisions of one sparse layer.

    Attributes:
        probability_TN: The router's probabilities.
        logits_TN: The router's logits.
        expert_TK: The chosen experts of each token, the most probable first.
        counted_T: A mask that is false for padding, which is served but not counted.
    """

    probability_TN: Tensor
    logits_TN: Tensor
    expert_TK: Tensor
    counted_T: Tensor

    @property
    def tokens_per_expert(self) -> Tensor:
        """Return the number of counted tokens that each expert serves, ``[N]``."""
        chosen = self.expert_TK[self.counted_T].flatten()
        return torch.bincount(chosen, minlength=self.probability_TN.shape[1])

    @property
    def load_balancing_loss(self) -> Tensor:
        """Return ``N * sum_e f_e P_e`` over the layer's experts: 1 when balanced, at most N.

        f is the share of tokens and P the mean probability of an expert (Switch Transformer,
        Fedus et al., 2021, equation 4).
        """
        n_experts = self.probability_TN.shape[1]
        served_N = self.tokens_per_expert
        share_N = served_N / served_N.sum().clamp(min=1)
        return n_experts * (share_N * self._mean(self.probability_TN)).sum()

    @property
    def z_loss(self) -> Tensor:
        """Return the mean squared log-sum-exp of the logits (ST-MoE, Zoph et al., 2022, eq. 5)."""
        return self._mean(self.logits_TN.logsumexp(dim=1).square())

    def _mean(self, values_T: Tensor) -> Tensor:
        """Return the mean over counted tokens, which a product computes faster than a selection."""
        counted_T = self.counted_T.to(values_T.dtype)
        return counted_T @ values_T / counted_T.sum()
