"""This module chooses the target pieces that a translation may have, from its source alone.

Most of the vocabulary cannot be in the translation of a sentence. The decoder computes the
probabilities of a few candidates instead, which is exact when all pieces are candidates.

Legend: V vocabulary, N best target pieces, C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from automoe.deployed.beam_search import BOS, EOS, PAD
from automoe.deployed.description import BundleError

_TYPE = np.dtype("<i4")


class Shortlist:
    """The candidates of sentences.

    Args:
        best_VN: The best target pieces of each source piece; -1 is none.
        frequent: Target pieces that are candidates of every sentence.
    """

    def __init__(self, best_VN: Any, frequent: Any) -> None:
        self._best_VN = best_VN
        self._frequent = frequent

    @classmethod
    def read(cls, path: Path, *, n_best: int, vocab_size: int) -> Shortlist:
        """Read a file that `write` wrote.

        Raises:
            BundleError: The file does not have the size that the numbers say.
        """
        expected = (vocab_size + 1) * n_best * _TYPE.itemsize
        if path.stat().st_size != expected:
            raise BundleError(f"'{path}' must have {expected} bytes. Export the model again.")
        rows = np.fromfile(path, _TYPE).reshape(vocab_size + 1, n_best)
        if rows.min(initial=0) < -1 or rows.max(initial=-1) >= vocab_size:
            raise BundleError(f"'{path}' names pieces that do not exist. Export the model again.")
        return cls(rows[:-1], rows[-1])

    def write(self, path: Path) -> None:
        """Write the pieces as 32-bit integers: a row for each source piece, then the frequent."""
        rows = np.concatenate([self._best_VN, self._frequent[None]])
        path.write_bytes(rows.astype(_TYPE).tobytes())

    @property
    def n_best(self) -> int:
        """The number N."""
        return int(self._best_VN.shape[1])

    def candidates(self, sentences: Sequence[Sequence[int]]) -> Any:
        """Return the candidates of sentences that are translated together, ``[C]``, sorted."""
        is_candidate_V = np.zeros(len(self._best_VN) + 1, np.bool_)  # -1 is the last one
        pieces = list(chain.from_iterable(sentences))
        is_candidate_V[self._best_VN[pieces]] = True
        is_candidate_V[self._frequent] = True
        is_candidate_V[EOS] = True
        is_candidate_V[[PAD, BOS, -1]] = False
        return np.flatnonzero(is_candidate_V)
