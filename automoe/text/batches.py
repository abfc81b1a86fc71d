"""This module puts sentence pairs into batches of at most so many tokens.

Pairs are sorted so that those of a batch have nearly the same lengths on both sides, because the
model computes padding too. Padding is the share of PAD among the numbers of `source_BS` and
`target_in_BT`, over all batches of an epoch.

Shape suffixes: N pairs of a text, B pairs of a batch, S source tokens, T target tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automoe.text.pairs import Pair, Pairs
from automoe.text.special_tokens import PAD

_Rows = NDArray[np.int64]  # positions of the pairs of one batch
_PARTS = 32  # at most so many parts of a full batch, where it may be cut
_COST_OF_BATCH = 0.1  # the padding that is worth one more batch, as a share of `max_tokens`


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
    return len(_Plan.of(pairs, max_tokens).cuts)


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
    return _Plan.of(pairs, max_tokens).shuffled(seed, epoch)


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
    return _endless(_Plan.of(pairs, max_tokens), seed=seed, start_step=start_step)


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
    return _Plan.of(pairs, max_tokens).in_order()


def _require_nonnegative(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name!r} must be at least 0. Got {value}.")


@dataclass(frozen=True, slots=True)
class _Plan:
    """Pairs, the keys that sort them, and where the sorted pairs are cut into batches.

    Attributes:
        pairs: The pairs, in any order.
        keys_N: A number of each pair. Sorting by it puts pairs of one shape side by side.
        cuts: The sorted position of the first pair of each batch.
    """

    pairs: Pairs
    keys_N: NDArray[np.int64]
    cuts: NDArray[np.int64]

    @classmethod
    def of(cls, pairs: Sequence[Pair], max_tokens: int) -> Self:
        """Check the lengths and plan the batches.

        Raises:
            ValueError: There are no pairs, or one is longer than `max_tokens`.
        """
        if not pairs:
            raise ValueError("'pairs' must hold at least one pair. Got none; add text.")
        kept = pairs if isinstance(pairs, Pairs) else Pairs.of(pairs)
        lengths_N = kept.lengths
        longest = int(lengths_N.argmax())
        if lengths_N[longest] > max_tokens:
            raise ValueError(
                f"'max_tokens' must be at least {lengths_N[longest]}, the length of pair "
                f"{longest}. Got {max_tokens}; raise it, or encode with a smaller 'max_tokens'."
            )
        keys_N = _keys(kept)
        order_N = np.argsort(keys_N, kind="stable")
        lengths = kept.source_lengths[order_N], kept.target_lengths[order_N]
        return cls(kept, keys_N, _cuts(*lengths, max_tokens))

    def in_order(self) -> Iterator[Batch]:
        """Return the batches from the shortest to the longest."""
        return self._batches(np.split(np.argsort(self.keys_N, kind="stable"), self.cuts[1:]))

    def shuffled(self, seed: int, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch in random order, without the `first` ones."""
        rng = np.random.default_rng([seed, epoch])
        shuffled = rng.permutation(len(self.pairs))
        order = shuffled[np.argsort(self.keys_N[shuffled], kind="stable")]
        batches = np.split(order, self.cuts[1:])
        return self._batches([batches[index] for index in rng.permutation(len(batches))[first:]])

    def _batches(self, plan: list[_Rows]) -> Iterator[Batch]:
        return (_batch(self.pairs, rows) for rows in plan)


def _keys(pairs: Pairs) -> NDArray[np.int64]:
    """Return numbers that sort pairs by length, then by target length minus source length.

    The second key rises in every other length and falls in between, so that a batch with pairs of
    two lengths has neighbours in both.
    """
    lengths_N = pairs.lengths
    differences_N = pairs.target_lengths - pairs.source_lengths
    turned_N = np.where(lengths_N % 2, differences_N, -differences_N)
    keys_N: NDArray[np.int64] = lengths_N * (2 * lengths_N.max()) + turned_N
    return keys_N


def _cuts(
    source_N: NDArray[np.int64], target_N: NDArray[np.int64], max_tokens: int
) -> NDArray[np.int64]:
    """Return the position of the first pair of each batch, for the lengths of sorted pairs.

    The cuts are those with the least padding, where one more batch costs as much as some padding.
    Dynamic programming finds them: the best batches of the first pairs end with one batch after
    the best batches of fewer pairs. The cuts depend on the sorted lengths alone, so every epoch
    has the same number of batches. Therefore a run resumes from the number of a step.

    Batches end at the ends of small parts, which are pairs of one length, so that the time grows
    with the number of pairs alone.
    """
    lengths_N = np.maximum(source_N, target_N)
    parts_N = np.cumsum(np.minimum(_PARTS * lengths_N / max_tokens, 1)).astype(np.int64)
    firsts = np.flatnonzero(np.diff(parts_N, prepend=-1) | np.diff(lengths_N, prepend=-1))
    stops = np.append(firsts[1:], len(lengths_N))
    source, target = (np.maximum.reduceat(side_N, firsts) for side_N in (source_N, target_N))
    earliest = np.searchsorted(firsts, stops - max_tokens // lengths_N[firsts])
    costs, begins = np.zeros(len(firsts) + 1), np.zeros(len(firsts) + 1, np.int64)
    for part in range(len(firsts)):
        # Entry k is of the batch from part `earliest[part] + k` to this part.
        those = slice(earliest[part], part + 1)
        widths = sum(np.maximum.accumulate(side[those][::-1])[::-1] for side in (source, target))
        cost = costs[those] + (stops[part] - firsts[those]) * widths
        best = int(cost.argmin())
        costs[part + 1] = cost[best] + _COST_OF_BATCH * max_tokens
        begins[part + 1] = earliest[part] + best
    chosen = [begins[-1]]
    while chosen[-1]:
        chosen.append(begins[chosen[-1]])
    cuts: NDArray[np.int64] = firsts[chosen[::-1]]
    return cuts


def _endless(plan: _Plan, *, seed: int, start_step: int) -> Iterator[Batch]:
    epoch, first = divmod(start_step, len(plan.cuts))
    while True:
        yield from plan.shuffled(seed, epoch, first)
        epoch, first = epoch + 1, 0


def _batch(pairs: Pairs, rows: _Rows) -> Batch:
    first, middle, last = (pairs.edges[2 * rows + n] for n in range(3))
    return Batch(
        source_BS=_padded(pairs.ids, first, middle),
        target_in_BT=_padded(pairs.ids, middle, last - 1),
        target_out_BT=_padded(pairs.ids, middle + 1, last),
        rows=tuple(rows.tolist()),
    )


def _padded(
    ids: NDArray[np.unsignedinteger], starts_B: NDArray[np.int64], ends_B: NDArray[np.int64]
) -> Tensor:
    """Return the ids from each start to its end, with PAD behind the shorter ones."""
    places = starts_B[:, None] + np.arange((ends_B - starts_B).max())
    present = places < ends_B[:, None]
    padded = np.full(places.shape, PAD, np.int64)
    padded[present] = ids[places[present]]
    return torch.from_numpy(padded)
