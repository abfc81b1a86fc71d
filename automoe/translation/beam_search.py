"""This module finds the most probable output of a model that predicts token after token.

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
    """A model that remembers the open hypotheses from one call to the next."""

    def __call__(
        self, parent_B: NDArray[np.int64], token_B: NDArray[np.int64]
    ) -> NDArray[np.floating[Any]]:
        """Read one token of each hypothesis and score the next tokens.

        Args:
            parent_B: The row of the call before that each row extends. A row may be extended
                several times or never. The first call has one row, and its parent is 0.
            token_B: The token that each row adds. It is BOS in the first call.

        Returns:
            The log-probabilities of the next token, `[B, V]`. That of a token that must not follow
            is minus infinity.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An output, or the beginning of an output.

    Attributes:
        tokens: The tokens without BOS. A complete hypothesis ends with EOS.
        log_probability: The sum of the tokens' log-probabilities, EOS included.
    """

    tokens: tuple[int, ...] = ()
    log_probability: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Return whether the hypothesis ends with EOS."""
        return self.tokens[-1:] == (EOS,)


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """Beam search with the length penalty of Wu et al. (2016), equation 14, without coverage.

    Complete hypotheses keep their places in the beam, so that fewer and fewer are open (Sutskever
    et al., 2014). With one place this is greedy decoding.

    Attributes:
        beam: The number of places for hypotheses, open and complete.
        length_penalty: The paper's alpha. With 0 plain log-probabilities are compared, which
            prefers short outputs.

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
        """Return the complete hypothesis with the highest score.

        When none is complete after `max_tokens`, the open one with the highest score is returned.

        Args:
            step: The model that scores the next tokens. It must not have been called before.
            max_tokens: The length of the longest output, EOS included. `step` is called at most
                so many times.

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
        """Return the log-probability over the penalty, which compares outputs of any lengths."""
        return hypothesis.log_probability / self._penalty(len(hypothesis.tokens))

    def _penalty(self, n_tokens: int) -> float:
        return float(((5 + n_tokens) / 6) ** self.length_penalty)

    def _is_settled(
        self, complete: Sequence[Hypothesis], rows: Sequence["_Row"], max_tokens: int
    ) -> bool:
        if not complete or not rows:
            return not rows
        # The log-probability can only fall and the penalty grows with the length. Therefore no
        # open hypothesis can get a higher score than this.
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
    """Return the `n` most probable hypotheses that are one token longer, the best first."""
    before_B = np.array([row.hypothesis.log_probability for row in rows])
    total_BV = before_B[:, None] + log_probability_BV
    grown = []
    for parent, token in _highest(total_BV, n):
        tokens = (*rows[parent].hypothesis.tokens, token)
        grown.append(_Row(parent, Hypothesis(tokens, float(total_BV[parent, token]))))
    return grown


def _highest(values: NDArray[np.float64], n: int) -> list[tuple[int, int]]:
    """Return row and column of the `n` highest finite values, the highest first.

    Of equal values the first one is taken.
    """
    left, places = values.copy(), []
    # A pass for each value is many times faster than sorting or partitioning a vocabulary.
    for _ in range(min(n, left.size)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        if not isfinite(left[row, column]):
            break
        places.append((row, column))
        left[row, column] = -np.inf
    return places
