"""The expert that each token of a profiling workload goes to, which is part of its identity.

Legend: T tokens, N experts.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_DECIDES = 1e4  # dwarfs any logit, so that the router's own opinion does not matter
_FORMS = "balanced, worst, best, skewed:ALPHA with ALPHA >= 0, or trace:FILE"
_DIGEST_DIGITS = 12

Side = Literal["encoder", "decoder"]


class RoutingTraceError(ValueError):
    """A file that is no routing trace, or one that says nothing of a layer."""


@dataclass(frozen=True, slots=True)
class RoutingTrace:
    """The number of tokens that each expert served in a real model, by layer.

    A layer with fewer experts takes the first counts; a stack with more layers begins anew.

    Attributes:
        encoder: Counts per expert, for each layer.
        decoder: Counts per expert, for each layer.
    """

    encoder: tuple[tuple[float, ...], ...]
    decoder: tuple[tuple[float, ...], ...]

    @classmethod
    def load(cls, path: Path) -> "RoutingTrace":
        """Read ``{"encoder": [[9, 3], ...], "decoder": [[5, 7, 0], ...]}``.

        Raises:
            RoutingTraceError: The file says something else.
            OSError: It cannot be read.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            sides = {side: _counts(content[side]) for side in ("encoder", "decoder")}
        except (KeyError, TypeError, ValueError) as error:
            raise RoutingTraceError(
                f"'{path}' must hold token counts per expert for every layer, like "
                f'{{"encoder": [[9, 3]], "decoder": [[5, 7]]}}. Got: {error}.'
            ) from None
        return cls(**sides)

    @property
    def digest(self) -> str:
        """The short name that tells this trace from others in a log."""
        sides = (self.encoder, self.decoder)
        content = json.dumps([[list(map(float, layer)) for layer in side] for side in sides])
        return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_DIGITS]

    def shares(self, n_experts: int, side: Side, layer: int) -> NDArray[np.float64]:
        """The share of tokens that each expert serves, ``[N]``.

        Raises:
            RoutingTraceError: It knows fewer experts, or none of the first ones served a token.
        """
        layers = self.encoder if side == "encoder" else self.decoder
        count_N = np.array(layers[layer % len(layers)][:n_experts], dtype=np.float64)
        if len(count_N) < n_experts or not count_N.sum() > 0:
            raise RoutingTraceError(
                f"The routing trace must count tokens for {n_experts} experts of {side} layer "
                f"{layer}. Got {count_N.tolist()}; trace a model with as many experts."
            )
        share_N: NDArray[np.float64] = count_N / count_N.sum()
        return share_N


@dataclass(frozen=True, slots=True)
class RoutingPattern:
    """The spread of the tokens over the experts of every sparse layer.

    Attributes:
        kind: ``balanced`` serves all experts equally often; ``skewed`` draws expert i with a
            probability proportional to ``(i + 1) ** -alpha``; ``worst`` touches every expert
            and sends all other tokens to the widest one; ``best`` sends all tokens to the
            narrowest one; ``trace`` spreads them as a real model did.
        alpha: Exponent of ``skewed``; 0 is uniform.
        digest: Of the trace.
        trace: The trace; None when only its digest is known, from a log.
    """

    kind: str = "balanced"
    alpha: float = 0.0
    digest: str = ""
    trace: RoutingTrace | None = None

    @classmethod
    def parse(cls, text: str) -> "RoutingPattern":
        """Read ``balanced``, ``worst``, ``best``, ``skewed:ALPHA``, or ``trace:`` and a digest.

        Raises:
            ValueError: It is none of these.
        """
        if text in ("balanced", "worst", "best"):
            return cls(text)
        if match := re.fullmatch(r"skewed:(\d+(\.\d+)?)", text):
            return cls("skewed", alpha=float(match[1]))
        if match := re.fullmatch(rf"trace:([0-9a-f]{{{_DIGEST_DIGITS}}})", text):
            return cls("trace", digest=match[1])
        raise ValueError(f"'routing' must be {_FORMS}. Got '{text}'.")

    @classmethod
    def open(cls, text: str) -> "RoutingPattern":
        """Do as ``parse`` does, but read the trace that ``trace:FILE`` names.

        Raises:
            ValueError: It is none of these, or the file is no trace.
            OSError: The file cannot be read.
        """
        kind, _, path = text.partition(":")
        if kind == "trace" and path:
            trace = RoutingTrace.load(Path(path))
            return cls("trace", digest=trace.digest, trace=trace)
        return cls.parse(text)

    def __str__(self) -> str:
        alpha = repr(self.alpha).removesuffix(".0")
        detail = {"skewed": f":{alpha}", "trace": f":{self.digest}"}
        return self.kind + detail.get(self.kind, "")

    def shares(self, widths: Sequence[int], n_tokens: int) -> list[float]:
        """The expected share of ``n_tokens`` that each expert serves, one for each of N.

        A trace counts as balanced here, also where it is at hand: the features in a log that
        knows its digest only must mean the same.
        """
        n_experts = len(widths)
        if self.kind == "skewed":
            weight_N = (np.arange(n_experts) + 1.0) ** -self.alpha
            return list(weight_N / weight_N.sum())
        if self.kind in ("balanced", "trace"):
            return [1 / n_experts] * n_experts
        chosen_T = self.experts(widths, n_tokens, np.random.default_rng(0))
        return list(np.bincount(chosen_T, minlength=n_experts) / n_tokens)

    def experts(
        self,
        widths: Sequence[int],
        n_tokens: int,
        rng: np.random.Generator,
        *,
        side: Side = "encoder",
        layer: int = 0,
    ) -> NDArray[np.int64]:
        """The expert of each token, ``[T]``, in random order, in one layer.

        Raises:
            RoutingTraceError: The trace is not at hand or says nothing of the layer.
        """
        n_experts = len(widths)
        if self.kind == "skewed":
            return rng.choice(n_experts, size=n_tokens, p=self.shares(widths, n_tokens))
        if self.kind == "trace":
            share_N = self._known_trace().shares(n_experts, side, layer)
            count_N = _apportioned(share_N, n_tokens)
            return rng.permutation(np.repeat(np.arange(n_experts), count_N))
        if self.kind == "best":
            return np.full(n_tokens, np.argmin(widths))
        if self.kind == "worst":
            widest_first = np.argsort(widths)[::-1]
            chosen_T = np.full(n_tokens, widest_first[0])
            chosen_T[: min(n_experts, n_tokens)] = widest_first[:n_tokens]
            return rng.permutation(chosen_T)
        return rng.permutation(np.arange(n_tokens) % n_experts)

    def _known_trace(self) -> RoutingTrace:
        if self.trace is None:
            raise RoutingTraceError(
                f"The routing trace {self.digest} is known by its digest only. "
                f"Give its file as 'trace:FILE'."
            )
        return self.trace


def router_bias(expert_T: NDArray[np.int64], n_experts: int) -> NDArray[np.float32]:
    """Return what sends each token to its expert when added to router logits: ``[T, N]``."""
    return np.eye(n_experts, dtype=np.float32)[expert_T] * np.float32(_DECIDES)


def _counts(layers: object) -> tuple[tuple[float, ...], ...]:
    if not isinstance(layers, list) or not layers:
        raise ValueError("a side must be a list of layers, at least one")
    counted = tuple(tuple(float(count) for count in layer) for layer in layers)
    if not all(0 <= count < float("inf") for layer in counted for count in layer):
        raise ValueError("a count must be finite and not negative")
    return counted


def _apportioned(share_N: NDArray[np.float64], n_tokens: int) -> NDArray[np.int64]:
    """Whole tokens by largest remainder."""
    exact_N = share_N * n_tokens
    count_N = np.floor(exact_N + 1e-9).astype(np.int64)
    most_short = np.argsort(count_N - exact_N, kind="stable")
    count_N[most_short[: n_tokens - int(count_N.sum())]] += 1
    return count_N
