"""This module decides which expert serves each token when a workload is measured.

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

from devices.yaml_json import parse_json

_DECIDES = 1e4  # far above any logit, so that the router's weights do not matter
_FORMS = "balanced, worst, best, skewed:ALPHA with ALPHA >= 0, or trace:FILE"
_DIGEST_DIGITS = 12

StackName = Literal["encoder", "decoder"]


class RoutingTraceError(ValueError):
    """A file that is not a routing trace, or a trace that lacks the counts of a layer."""


@dataclass(frozen=True, slots=True)
class RoutingTrace:
    """The number of tokens that each expert served in a real model, by layer.

    A layer with fewer experts uses the first counts. A stack with more layers starts again with
    the trace's first layer.

    Attributes:
        encoder: The counts of the experts of each encoder layer.
        decoder: The counts of the experts of each decoder layer.
    """

    encoder: tuple[tuple[float, ...], ...]
    decoder: tuple[tuple[float, ...], ...]

    @classmethod
    def load(cls, path: Path) -> "RoutingTrace":
        """Read ``{"encoder": [[9, 3], ...], "decoder": [[5, 7, 0], ...]}``.

        Raises:
            RoutingTraceError: The file has another content.
            OSError: The file cannot be read.
        """
        try:
            content = parse_json(path.read_bytes())
            return cls(_counts(content["encoder"]), _counts(content["decoder"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RoutingTraceError(
                f"'{path}' must hold token counts per expert for every layer, like "
                f'{{"encoder": [[9, 3]], "decoder": [[5, 7]]}}. Got: {error}.'
            ) from None

    @property
    def digest(self) -> str:
        """Return the twelve digits that tell this trace from others in a log."""
        stacks = (self.encoder, self.decoder)
        content = json.dumps([[list(map(float, layer)) for layer in stack] for stack in stacks])
        return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_DIGITS]

    def shares(self, n_experts: int, stack: StackName, layer: int) -> NDArray[np.float64]:
        """Return the share of the tokens that each expert serves, ``[N]``.

        Raises:
            RoutingTraceError: The trace has fewer experts, or the first ones served no token.
        """
        layers = self.encoder if stack == "encoder" else self.decoder
        count_N = np.array(layers[layer % len(layers)][:n_experts], dtype=np.float64)
        if len(count_N) < n_experts or not count_N.sum() > 0:
            raise RoutingTraceError(
                f"The routing trace must count tokens for {n_experts} experts of {stack} layer "
                f"{layer}. Got {count_N.tolist()}; trace a model with as many experts."
            )
        share_N: NDArray[np.float64] = count_N / count_N.sum()
        return share_N


@dataclass(frozen=True, slots=True)
class RoutingPattern:
    """The rule that sends the tokens of every sparse layer to its experts.

    Attributes:
        kind: The name of the rule. ``balanced`` sends equally many tokens to each expert;
            ``skewed`` draws expert i with a probability proportional to ``(i + 1) ** -alpha``;
            ``worst`` touches every expert and sends all other tokens to the widest one; ``best``
            sends all tokens to the narrowest one; ``trace`` sends them as a real model did.
        alpha: The exponent of ``skewed``; 0 is uniform.
        digest: The digest of the trace.
        trace: The trace, or None when a log gave its digest only.
    """

    kind: str = "balanced"
    alpha: float = 0.0
    digest: str = ""
    trace: RoutingTrace | None = None

    @classmethod
    def parse(cls, text: str) -> "RoutingPattern":
        """Read ``balanced``, ``worst``, ``best``, ``skewed:ALPHA``, or ``trace:`` and a digest.

        Raises:
            ValueError: The text is something else.
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
        """Read what ``parse`` reads, or ``trace:FILE`` with the trace in that file.

        Raises:
            ValueError: The text is something else, or the file is not a trace.
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
        """Return the expected share of ``n_tokens`` that each of the N experts serves.

        A trace counts as balanced here, even when its counts are known. Otherwise the features of
        a log that has only its digest would mean something else.
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
        stack: StackName = "encoder",
        layer: int = 0,
    ) -> NDArray[np.int64]:
        """Return the expert of each token of one layer, ``[T]``, in random order.

        Raises:
            RoutingTraceError: Only the trace's digest is known, or it has too few experts.
        """
        n_experts = len(widths)
        if self.kind == "skewed":
            return rng.choice(n_experts, size=n_tokens, p=self.shares(widths, n_tokens))
        if self.kind == "trace":
            if self.trace is None:
                raise RoutingTraceError(
                    f"The routing trace {self.digest} is known by its digest only. "
                    f"Give its file as 'trace:FILE'."
                )
            share_N = self.trace.shares(n_experts, stack, layer)
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


def router_bias(expert_T: NDArray[np.int64], n_experts: int) -> NDArray[np.float32]:
    """Return a bias for the router's logits that sends each token to its expert: ``[T, N]``."""
    return np.eye(n_experts, dtype=np.float32)[expert_T] * np.float32(_DECIDES)


def _counts(layers: object) -> tuple[tuple[float, ...], ...]:
    if not isinstance(layers, list) or not layers:
        raise ValueError("a stack must be a list of layers, at least one")
    counted = tuple(tuple(float(count) for count in layer) for layer in layers)
    if not all(0 <= count < float("inf") for layer in counted for count in layer):
        raise ValueError("a count must be finite and not negative")
    return counted


def _apportioned(share_N: NDArray[np.float64], n_tokens: int) -> NDArray[np.int64]:
    """Return whole numbers of tokens for the shares, by the largest remainders."""
    exact_N = share_N * n_tokens
    count_N = np.floor(exact_N + 1e-9).astype(np.int64)
    most_short = np.argsort(count_N - exact_N, kind="stable")
    count_N[most_short[: n_tokens - int(count_N.sum())]] += 1
    return count_N
