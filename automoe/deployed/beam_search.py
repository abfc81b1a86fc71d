"""This module finds the most probable outputs of a model that predicts token after token.

Legend: B open sentences, K rows of each, R = B * K rows, N best tokens of a row, W places of the
beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
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
        search = _Beams(self, max_tokens)
        while search.is_open:
            search.extend(*step(*search.rows(), self.beam))
        return search.found

    def score(self, hypothesis: Hypothesis) -> float:
        """Return the log-probability over the penalty, which compares outputs of any lengths."""
        return hypothesis.log_probability / self.penalty(len(hypothesis.tokens))

    def penalty(self, n_tokens: int) -> float:
        """Return what the log-probability of so many tokens is divided by."""
        return float(((5 + n_tokens) / 6) ** self.length_penalty)


class _Beams:
    """The hypotheses of all sentences while they are searched.

    Rows that a sentence does not need, because another one has more open hypotheses, have the
    log-probability minus infinity.
    """

    def __init__(self, search: BeamSearch, max_tokens: Sequence[int]) -> None:
        n = len(max_tokens)
        self.found: list[Hypothesis] = [Hypothesis()] * n
        self._search = search
        self._max_tokens = max_tokens
        self._sentence_B = np.arange(n)
        self._kept_B = np.arange(n)
        self._parent_BK = np.arange(n)[:, None]
        self._history_BKT = np.full((n, 1, 1), BOS)
        self._log_probability_BK = np.zeros((n, 1))
        self._complete: list[list[Hypothesis]] = [[] for _ in range(n)]

    @property
    def is_open(self) -> bool:
        """Whether a sentence is not finished."""
        return len(self._sentence_B) > 0

    def rows(self) -> tuple[Any, Any, Any]:
        """Return the tokens, parents and sentences of the next call, see `Step`."""
        return self._history_BKT[:, :, -1].ravel(), self._parent_BK.ravel(), self._kept_B

    def extend(self, log_probability_RN: Any, token_RN: Any) -> None:
        """Let each sentence keep its most probable hypotheses that are one token longer."""
        n_sentences, n_rows = self._log_probability_BK.shape
        token_BKN = token_RN.reshape(n_sentences, n_rows, -1)
        total_BKN = self._log_probability_BK[:, :, None] + log_probability_RN.reshape(
            token_BKN.shape
        )
        total_BX = total_BKN.reshape(n_sentences, -1)
        # Of equal values the first one is taken.
        best_BW = np.argsort(-total_BX, axis=1, kind="stable")[:, : self._search.beam]
        total_BW = np.take_along_axis(total_BX, best_BW, axis=1)
        token_BW = np.take_along_axis(token_BKN.reshape(n_sentences, -1), best_BW, axis=1)
        row_BW = best_BW // token_BKN.shape[2]
        n_free_B = [self._search.beam - len(self._complete[s]) for s in self._sentence_B]
        is_kept_BW = (np.arange(best_BW.shape[1]) < np.array(n_free_B)[:, None]) & (
            total_BW > -np.inf
        )
        if not is_kept_BW.any(axis=1).all():
            raise ValueError(
                f"'step' must let a token follow. Got none after {self._history_BKT.shape[2] - 1}; "
                "check that the model's weights are finite."
            )
        is_end_BW = is_kept_BW & (token_BW == EOS)
        for b, w in zip(*np.nonzero(is_end_BW), strict=True):
            tokens = (*self._history_BKT[b, row_BW[b, w], 1:].tolist(), EOS)
            ended = Hypothesis(tokens, float(total_BW[b, w]))
            self._complete[self._sentence_B[b]].append(ended)
        self._go_on(total_BW, token_BW, row_BW, is_kept_BW & ~is_end_BW)

    def _go_on(self, total_BW: Any, token_BW: Any, row_BW: Any, is_open_BW: Any) -> None:
        """Keep the open hypotheses of each sentence as its first rows, the best first."""
        n_rows = max(int(is_open_BW.sum(axis=1).max()), 1)
        place_BK = np.argsort(~is_open_BW, axis=1, kind="stable")[:, :n_rows]

        def of_open(values_BW: Any) -> Any:
            return np.take_along_axis(values_BW, place_BK, axis=1)

        row_BK, is_open_BK = of_open(row_BW), of_open(is_open_BW)
        log_probability_BK = np.where(is_open_BK, of_open(total_BW), -np.inf)
        before_BKT = np.take_along_axis(self._history_BKT, row_BK[:, :, None], axis=1)
        history_BKT = np.concatenate([before_BKT, of_open(token_BW)[:, :, None]], axis=2)
        goes_on_B = np.array(
            [
                self._goes_on(sentence, log_probability_BK[b, 0], history_BKT[b, 0])
                for b, sentence in enumerate(self._sentence_B.tolist())
            ]
        )
        kept_B = np.flatnonzero(goes_on_B)
        n_before = self._log_probability_BK.shape[1]
        n_rows = int(is_open_BK[kept_B].sum(axis=1).max(initial=0))
        self._kept_B, self._sentence_B = kept_B, self._sentence_B[kept_B]
        self._parent_BK = kept_B[:, None] * n_before + row_BK[kept_B, :n_rows]
        self._history_BKT = history_BKT[kept_B, :n_rows]
        self._log_probability_BK = log_probability_BK[kept_B, :n_rows]

    def _goes_on(self, sentence: int, log_probability: float, best_T: Any) -> bool:
        """Return whether a sentence is not finished. The output of one that is finished is found.

        Args:
            sentence: The sentence.
            log_probability: The log-probability of its best open hypothesis.
            best_T: The tokens of that hypothesis, after BOS.
        """
        complete, longest = self._complete[sentence], self._max_tokens[sentence]
        is_open, n_tokens = isfinite(log_probability), len(best_T) - 1
        if is_open and n_tokens < longest:
            # The log-probability can only fall and the penalty grows with the length. Therefore no
            # open hypothesis can get a higher score than this.
            highest = log_probability / self._search.penalty(longest)
            if not complete or highest > max(map(self._search.score, complete)):
                return True
        unfinished = Hypothesis(tuple(best_T[1:].tolist()), float(log_probability))
        self.found[sentence] = max(complete or [unfinished], key=self._search.score)
        return False
