"""Which expert each token of a profiling workload goes to: part of what is measured.

Legend: T tokens, N experts.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DECIDES = 1e4  # dwarfs any logit, so that the router's own opinion does not matter


@dataclass(frozen=True, slots=True)
class RoutingPattern:
    """How tokens spread over the experts of every sparse layer.

    Attributes:
        kind: ``balanced`` serves all experts equally often; ``skewed`` draws expert i with a
            probability proportional to ``(i + 1) ** -alpha``; ``worst`` touches every expert
            and sends all other tokens to the widest one.
        alpha: Exponent of ``skewed``; 0 is uniform.
    """

    kind: str = "balanced"
    alpha: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "RoutingPattern":
        """Read ``balanced``, ``worst`` or ``skewed:ALPHA``.

        Raises:
            ValueError: It is none of these.
        """
        if text in ("balanced", "worst"):
            return cls(text)
        if match := re.fullmatch(r"skewed:(\d+(\.\d+)?)", text):
            return cls("skewed", float(match[1]))
        raise ValueError(
            f"'routing' must be balanced, worst or skewed:ALPHA with ALPHA >= 0. Got '{text}'."
        )

    def __str__(self) -> str:
        return f"skewed:{self.alpha:g}" if self.kind == "skewed" else self.kind

    def experts(
        self, widths: tuple[int, ...], n_tokens: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """The expert of each token, ``[T]``, in random order."""
        n_experts = len(widths)
        if self.kind == "skewed":
            weight_N = (np.arange(n_experts) + 1.0) ** -self.alpha
            return rng.choice(n_experts, size=n_tokens, p=weight_N / weight_N.sum())
        if self.kind == "worst":
            widest_first = np.argsort(widths)[::-1]
            chosen_T = np.full(n_tokens, widest_first[0])
            chosen_T[: min(n_experts, n_tokens)] = widest_first[:n_tokens]
            return rng.permutation(chosen_T)
        return rng.permutation(np.arange(n_tokens) % n_experts)


def router_bias(expert_T: NDArray[np.int64], n_experts: int) -> NDArray[np.float32]:
    """What to add to router logits so that each token goes to its expert: ``[T, N]``."""
    return np.eye(n_experts, dtype=np.float32)[expert_T] * np.float32(_DECIDES)
