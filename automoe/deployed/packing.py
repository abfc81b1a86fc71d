"""This module packs sentences for the encoder: their tokens follow one another without padding.

Legend: T tokens of all sentences, B sentences, S tokens of the longest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BARRED = -1e9  # added to a score, after which the weight of attention is zero


def packed(sentences: Sequence[Any]) -> dict[str, Any]:
    """Return the inputs of the encoder's graph.

    Args:
        sentences: The tokens of each sentence, at least one.
    """
    lengths = [len(sentence) for sentence in sentences]
    longest, n_tokens = max(lengths), sum(lengths)
    if len(sentences) == 1:
        position_T = place_T = np.arange(n_tokens)
        token_BS = position_T[None]
        barred_BS = np.zeros((1, n_tokens), np.float32)
    else:
        length_B1 = np.array(lengths)[:, None]
        is_token_BS = np.arange(longest) < length_B1
        place_T = np.flatnonzero(is_token_BS)
        position_T = place_T % longest
        token_BS = np.zeros(is_token_BS.shape, np.int64)
        token_BS[is_token_BS] = np.arange(n_tokens)
        barred_BS = np.where(is_token_BS, 0, BARRED).astype(np.float32)
    return {
        "source": np.concatenate([np.asarray(sentence, np.int64) for sentence in sentences]),
        "source_position": position_T,
        "source_token": token_BS,
        "source_place": place_T,
        "source_barred": barred_BS[:, None, None],
    }
