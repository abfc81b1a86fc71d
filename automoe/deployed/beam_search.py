"""This module finds the most probable outputs of a model that predicts token after token.

Legend: B open sentences, K rows of each, R = B * K rows, N best tokens of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from operator import itemgetter
from typing import Any, Protocol

import numpy as np

PAD, BOS, EOS = 0, 1, 2  # as in every vocabulary of AutoMoE


class Step(Protocol):
    """A model that remembers the open hypotheses from one call to the next."""

    def __call__(self, token_R: Any, parent_R: Any, kept_B: Any, n_best: int) -> tuple[Any, Any]:
        """Read one token of each hypothesis, and score the next tokens.

        Args:
            token_R: The token that each row adds. It is BOS in the first call. The rows of one
                sentence follow those of another, and each sentence has as many.
            parent_R: The row of the call before that each row extends. A row may be extended
                several times or never. The first call has one row for each sentence, in order.
            kept_B: The sentences that are still open, as indices of those of the call before.
            n_best: The number N of next tokens to return, or fewer if the vocabulary is smaller.

        Returns:
            The log-probabilities of the most probable next tokens, ``[R, N]``, and these tokens.
            That of a token that must not follow is minus infinity.
        """
        ...


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class BeamSearch:
    """Beam search with the length penalty of Wu et al. (2016), equation 14, without coverage.

    Complete hypotheses keep their places in the beam, so that fewer and fewer are open (Sutskever
    et al., 2014). With one place this is greedy decoding. Sentences that are searched together get
    the outputs that they get alone.

    Attributes:
        beam: The number of places for hypotheses of a sentence, open and complete.
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

    def best(self, step: Step, *, max_tokens: Sequence[int]) -> list[Hypothesis]:
        """Return the complete hypothesis with the highest score for each sentence.

        When none is complete after `max_tokens`, the open one with the highest score is returned.

        Args:
            step: The model that scores the next tokens. It must not have been called before.
            max_tokens: The length of the longest output of each sentence, EOS included.

        Raises:
            ValueError: A number of `max_tokens` is less than 1, or no token may follow.
        """
        if min(max_tokens, default=1) < 1:
            raise ValueError(f"'max_tokens' must be at least 1. Got {min(max_tokens)}.")
        beams = open_beams = [_Beam(self, longest) for longest in max_tokens]
        kept = list(range(len(beams)))
        rows = [(BOS, b) for b in kept]
        while open_beams:
            token_R, parent_R = (np.array(column) for column in zip(*rows, strict=True))
            best_RN, token_RN = step(token_R, parent_R, np.array(kept), self.beam)
            n_rows = len(rows) // len(open_beams)
            open_beams, rows, kept = _extended(
                open_beams, n_rows, best_RN.tolist(), token_RN.tolist()
            )
        return [beam.found for beam in beams]

    def score(self, hypothesis: Hypothesis) -> float:
        """Return the log-probability over the penalty, which compares outputs of any lengths."""
        return hypothesis.log_probability / self.penalty(len(hypothesis.tokens))

    def penalty(self, n_tokens: int) -> float:
        """Return what the log-probability of so many tokens is divided by."""
        return float(((5 + n_tokens) / 6) ** self.length_penalty)


# The arrays of a step are so small that lists are several times faster than NumPy.
class _Beam:
    """The hypotheses of one sentence while they are searched.

    Attributes:
        open: The hypotheses that do not end, the best first.
        parents: The row that each of them extends, among the rows of its sentence.
        found: The output, once it is known.
    """

    def __init__(self, search: BeamSearch, max_tokens: int) -> None:
        self.open = [Hypothesis()]
        self.parents = [0]
        self.found = Hypothesis()
        self._search = search
        self._max_tokens = max_tokens
        self._complete: list[Hypothesis] = []

    def extend(self, best_KN: Sequence[list[float]], token_KN: Sequence[list[int]]) -> bool:
        """Keep the most probable hypotheses that are one token longer.

        Args:
            best_KN: The log-probabilities of the next tokens. Rows after those of the open
                hypotheses are not read.
            token_KN: The tokens.

        Returns:
            Whether the sentence goes on.

        Raises:
            ValueError: No token may follow.
        """
        longer = [
            (before.log_probability + gain, row, token)
            for row, before in enumerate(self.open)
            for gain, token in zip(best_KN[row], token_KN[row], strict=True)
            if before.log_probability + gain > -inf  # which NaN is not; it cannot be sorted
        ]
        # Of equal values the first one is taken.
        longer.sort(key=itemgetter(0), reverse=True)
        n_free = self._search.beam - len(self._complete)
        kept = longer[:n_free]
        if not kept:
            raise ValueError(
                f"'step' must let a token follow. Got none after {len(self.open[0].tokens)}; "
                "check that the model's weights are finite."
            )
        before, self.open, self.parents = self.open, [], []
        for total, row, token in kept:
            hypothesis = Hypothesis((*before[row].tokens, token), total)
            if token == EOS:
                self._complete.append(hypothesis)
            else:
                self.open.append(hypothesis)
                self.parents.append(row)
        return self._goes_on()

    def _goes_on(self) -> bool:
        """Return whether the sentence is not finished. Of one that is, the output is found."""
        score = self._search.score
        if self.open and len(self.open[0].tokens) < self._max_tokens:
            # The log-probability can only fall and the penalty grows with the length. Therefore no
            # open hypothesis can get a higher score than this.
            highest = self.open[0].log_probability / self._search.penalty(self._max_tokens)
            if not self._complete or highest > max(map(score, self._complete)):
                return True
        self.found = max(self._complete or self.open[:1], key=score)
        return False


def _extended(
    beams: Sequence[_Beam],
    n_rows: int,
    best_RN: Sequence[list[float]],
    token_RN: Sequence[list[int]],
) -> tuple[list[_Beam], list[tuple[int, int]], list[int]]:
    """Extend each beam by its rows.

    Returns:
        The beams that go on; for each row of the next step its token and its row of this step; and
        which of the beams those are. Each has as many rows as the one with the most open
        hypotheses. What the others do not need repeats their best row.
    """
    kept = [
        b
        for b, beam in enumerate(beams)
        if beam.extend(
            best_RN[b * n_rows : (b + 1) * n_rows], token_RN[b * n_rows : (b + 1) * n_rows]
        )
    ]
    n_next = max((len(beams[b].open) for b in kept), default=0)
    rows = []
    for b in kept:
        own = [
            (hypothesis.tokens[-1], b * n_rows + parent)
            for hypothesis, parent in zip(beams[b].open, beams[b].parents, strict=True)
        ]
        rows += own + own[:1] * (n_next - len(own))
    return [beams[b] for b in kept], rows, kept
