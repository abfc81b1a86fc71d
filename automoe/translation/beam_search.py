"""The most probable output of a model that gives one token after the other.

Legend: B open hypotheses, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from automoe.text.special_tokens import BOS, EOS


class Step(Protocol):
    """A model that keeps what it needs of the open hypotheses from one call to the next."""

    def __call__(
        self, parent_B: NDArray[np.int64], token_B: NDArray[np.int64]
    ) -> NDArray[np.floating[Any]]:
        """Read one token of each hypothesis and score what may follow.

        Args:
            parent_B: `parent_B[b]` is the row, in the call before, of the hypothesis that row b
                continues; a row may be continued several times or never. The first call has one
                row, 0.
            token_B: The token that row b adds; BOS in the first call.

        Returns:
            Log-probabilities of the next token, `[B, V]`; minus infinity for a token that must
            not follow.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An output, or the beginning of one.

    Attributes:
        tokens: Without BOS; EOS last when it is complete.
        log_probability: Sum over the tokens, EOS included.
    """

    tokens: tuple[int, ...] = ()
    log_probability: float = 0.0

    @property
    def is_complete(self) -> bool:
        """It ends with EOS."""
        return self.tokens[-1:] == (EOS,)


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """Beam search with the length penalty of Wu et al. (2016), equation 14, without coverage.

    Complete hypotheses keep their places in the beam, so that it narrows as they finish
    (Sutskever et al., 2014); one place is greedy decoding.

    Attributes:
        beam: Places for hypotheses, open and complete.
        length_penalty: The paper's alpha; 0 compares plain log-probabilities, which prefers
            short outputs.

    Raises:
        ValueError: `beam` is less than 1, or `length_penalty` negative or not finite.
    """

    beam: int = 4
    length_penalty: float = 0.6

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise ValueError(f"'beam' must be at least 1. Got {self.beam}.")
        if not (isfinite(self.length_penalty) and self.length_penalty >= 0):
            raise ValueError(f"'length_penalty' must be at least 0. Got {self.length_penalty}.")

    def best(self, step: Step, *, max_tokens: int) -> Hypothesis:
        """The complete hypothesis with the highest score.

        When none is complete after `max_tokens`, the best open one, cut off.

        Args:
            step: Scores the next tokens; it must be at its beginning.
            max_tokens: The longest output, EOS included: an upper bound of the calls of `step`.

        Raises:
            ValueError: `max_tokens` is less than 1, or no token may follow.
        """
        if max_tokens < 1:
            raise ValueError(f"'max_tokens' must be at least 1. Got {max_tokens}.")
        complete: list[Hypothesis] = []
        rows = [_Row(0, Hypothesis())]
        for n_tokens in range(max_tokens):
            grown = _extend(rows, _read(step, rows), self.beam - len(complete))
            if not grown:
                raise ValueError(
                    f"'step' must let a token follow. Got none after {n_tokens}; "
                    "check that the model's weights are finite."
                )
            complete += [row.hypothesis for row in grown if row.hypothesis.is_complete]
            rows = [row for row in grown if not row.hypothesis.is_complete]
            if self._is_settled(complete, rows, max_tokens):
                break
        return max(complete or [row.hypothesis for row in rows], key=self.score)

    def score(self, hypothesis: Hypothesis) -> float:
        """The log-probability over the penalty, by which outputs of different lengths compare."""
        return hypothesis.log_probability / self._penalty(len(hypothesis.tokens))

    def _penalty(self, n_tokens: int) -> float:
        return float(((5 + n_tokens) / 6) ** self.length_penalty)

    def _is_settled(
        self, complete: Sequence[Hypothesis], rows: Sequence["_Row"], max_tokens: int
    ) -> bool:
        if not complete or not rows:
            return not rows
        # A log-probability only falls and the penalty only grows with the length, so this is
        # the score of a longest output whose other tokens were all certain.
        highest = rows[0].hypothesis.log_probability / self._penalty(max_tokens)
        return highest <= max(self.score(hypothesis) for hypothesis in complete)


@dataclass(frozen=True, slots=True)
class _Row:
    parent: int
    hypothesis: Hypothesis


def _read(step: Step, rows: Sequence[_Row]) -> NDArray[np.floating[Any]]:
    last = [row.hypothesis.tokens[-1] if row.hypothesis.tokens else BOS for row in rows]
    parents = [row.parent for row in rows]
    return step(np.array(parents, dtype=np.int64), np.array(last, dtype=np.int64))


def _extend(
    rows: Sequence[_Row], log_probability_BV: NDArray[np.floating[Any]], n: int
) -> list[_Row]:
    """The `n` most probable hypotheses that are one token longer, best first."""
    before_B = np.array([row.hypothesis.log_probability for row in rows])
    total_BV = before_B[:, None] + log_probability_BV
    grown = []
    for parent, token in _highest(total_BV, n):
        tokens = (*rows[parent].hypothesis.tokens, token)
        grown.append(_Row(parent, Hypothesis(tokens, float(total_BV[parent, token]))))
    return grown


def _highest(values: NDArray[np.float64], n: int) -> list[tuple[int, int]]:
    """Return where the `n` highest finite values are, highest first, among equals the first."""
    left, places = values.copy(), []
    # One pass for each is many times faster than sorting or partitioning a vocabulary.
    for _ in range(min(n, left.size)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        if not isfinite(left[row, column]):
            break
        places.append((row, column))
        left[row, column] = -np.inf
    return places
