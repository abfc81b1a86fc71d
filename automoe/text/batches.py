"""This module puts sentence pairs into batches of at most so many tokens.

Shape suffixes: B sentence pairs of a batch, S source tokens, T target tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from automoe.text.pairs import Pair
from automoe.text.special_tokens import BOS, EOS, PAD

_Rows = list[int]  # positions of the pairs of one batch


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Sentence pairs of similar length, padded at the end with PAD.

    Attributes:
        source_BS: The source ids with EOS, int64.
        target_in_BT: BOS and the target ids, which the decoder reads, int64.
        target_out_BT: The target ids and EOS, which the decoder must predict, int64.
        rows: The position of each row's pair in the sequence that was batched.
    """

    source_BS: Tensor
    target_in_BT: Tensor
    target_out_BT: Tensor
    rows: tuple[int, ...]

    @property
    def n_tokens(self) -> int:
        """Return the number of target tokens, EOS included and padding left out."""
        return int((self.target_out_BT != PAD).sum())

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same batch with its tensors on `device`."""
        return replace(
            self,
            source_BS=self.source_BS.to(device),
            target_in_BT=self.target_in_BT.to(device),
            target_out_BT=self.target_out_BT.to(device),
        )


def batches_per_epoch(pairs: Sequence[Pair], max_tokens: int) -> int:
    """Return the number of batches of one epoch, which is the same for all seeds and epochs.

    Raises:
        ValueError: There are no pairs, or one is longer than `max_tokens`.
    """
    return len(_cuts(_lengths(pairs, max_tokens), max_tokens))


def token_batches(
    pairs: Sequence[Pair], *, max_tokens: int, seed: int, epoch: int
) -> Iterator[Batch]:
    """Return the batches of one epoch. Each pair is in exactly one batch.

    Args:
        pairs: The pairs to batch.
        max_tokens: The most tokens of a batch, padding included: its number of rows times the
            length of its longest pair (`Pair.length`).
        seed: A number from 0, which decides the order together with `epoch`.
        epoch: The number of the epoch, counted from 0.

    Raises:
        ValueError: There are no pairs, one is longer than `max_tokens`, or `seed` or `epoch` is
            negative. The call raises it, not the first batch.
    """
    _require_nonnegative("seed", seed)
    _require_nonnegative("epoch", epoch)
    lengths = _lengths(pairs, max_tokens)
    plan = _shuffled_plan(lengths, _cuts(lengths, max_tokens), np.random.default_rng([seed, epoch]))
    return (_batch(pairs, rows) for rows in plan)


def training_batches(
    pairs: Sequence[Pair], *, max_tokens: int, seed: int, start_step: int = 0
) -> Iterator[Batch]:
    """Return the batches of one epoch after the other, without end.

    Batch k after `start_step` is batch `start_step + k` of a run from the start. The earlier
    batches are not built.

    Args:
        pairs: The pairs to batch.
        max_tokens: The most tokens of a batch, as in `token_batches`.
        seed: The seed of the order, as in `token_batches`.
        start_step: The number of batches that were used before.

    Raises:
        ValueError: There are no pairs, one is longer than `max_tokens`, or `seed` or `start_step`
            is negative. The call raises it, not the first batch.
    """
    _require_nonnegative("seed", seed)
    _require_nonnegative("start_step", start_step)
    lengths = _lengths(pairs, max_tokens)
    return _endless(pairs, lengths, _cuts(lengths, max_tokens), seed=seed, start_step=start_step)


def evaluation_batches(pairs: Sequence[Pair], *, max_tokens: int) -> Iterator[Batch]:
    """Return batches that hold each pair once, the shortest pairs first.

    The order is always the same, but it is not the order of `pairs`. `Batch.rows` tells which pair
    a row belongs to.

    Args:
        pairs: The pairs to batch.
        max_tokens: The most tokens of a batch, as in `token_batches`.

    Raises:
        ValueError: There are no pairs, or one is longer than `max_tokens`. The call raises it, not
            the first batch.
    """
    lengths = _lengths(pairs, max_tokens)
    order = np.argsort(lengths, kind="stable")
    plan = _cut(order, _cuts(lengths, max_tokens))
    return (_batch(pairs, rows) for rows in plan)


def _require_nonnegative(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name!r} must be at least 0. Got {value}.")


def _lengths(pairs: Sequence[Pair], max_tokens: int) -> np.ndarray:
    if not pairs:
        raise ValueError("'pairs' must hold at least one pair. Got none; add text.")
    lengths = np.array([pair.length for pair in pairs])
    longest = int(lengths.argmax())
    if lengths[longest] > max_tokens:
        raise ValueError(
            f"'max_tokens' must be at least {lengths[longest]}, the length of pair {longest}. "
            f"Got {max_tokens}; raise it, or encode with a smaller 'max_tokens'."
        )
    return lengths


def _cuts(lengths: np.ndarray, max_tokens: int) -> _Rows:
    """Return the position of the first pair of each batch when pairs are sorted by length.

    The positions depend on the sorted lengths alone, so every epoch has the same number of
    batches. Therefore a run resumes from the number of a step.
    """
    cuts = [0]
    for position, length in enumerate(np.sort(lengths).tolist()):
        if (position + 1 - cuts[-1]) * length > max_tokens:
            cuts.append(position)
    return cuts


def _cut(order: np.ndarray, cuts: _Rows) -> list[_Rows]:
    return [rows.tolist() for rows in np.split(order, cuts[1:])]


def _shuffled_plan(lengths: np.ndarray, cuts: _Rows, rng: np.random.Generator) -> list[_Rows]:
    shuffled = rng.permutation(len(lengths))
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    batches = _cut(by_length, cuts)
    return [batches[index] for index in rng.permutation(len(batches))]


def _endless(
    pairs: Sequence[Pair], lengths: np.ndarray, cuts: _Rows, *, seed: int, start_step: int
) -> Iterator[Batch]:
    epoch, first = divmod(start_step, len(cuts))
    while True:
        plan = _shuffled_plan(lengths, cuts, np.random.default_rng([seed, epoch]))
        yield from (_batch(pairs, rows) for rows in plan[first:])
        epoch, first = epoch + 1, 0


def _batch(pairs: Sequence[Pair], rows: _Rows) -> Batch:
    chosen = [pairs[row] for row in rows]
    return Batch(
        source_BS=_padded([pair.source for pair in chosen]),
        target_in_BT=_padded([(BOS, *pair.target) for pair in chosen]),
        target_out_BT=_padded([(*pair.target, EOS) for pair in chosen]),
        rows=tuple(rows),
    )


def _padded(sentences: list[tuple[int, ...]]) -> Tensor:
    width = max(len(tokens) for tokens in sentences)
    return torch.tensor([[*tokens, *[PAD] * (width - len(tokens))] for tokens in sentences])
