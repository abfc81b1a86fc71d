"""This module turns sentence pairs into token ids, which one array holds for a whole text."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from automoe.text.corpus import ParallelText
from automoe.text.special_tokens import BOS, EOS
from automoe.text.vocabulary import Vocabulary

_CHUNK = 1024  # the number of pairs that are taken out of the arrays at a time


@dataclass(frozen=True, slots=True)
class Pair:
    """One sentence and its translation.

    Attributes:
        source: The ids of the source, with EOS at the end.
        target: The ids of the target, without BOS and EOS.

    Raises:
        ValueError: The source is empty.
    """

    source: tuple[int, ...]
    target: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("'source' must hold at least one token. Got none; end it with EOS.")

    @property
    def length(self) -> int:
        """Return the tokens of the longer sentence; the target counts with its BOS or EOS."""
        return max(len(self.source), len(self.target) + 1)


class Pairs(Sequence[Pair]):
    """Sentence pairs in two arrays, which need a tenth of the memory of `Pair` objects.

    Attributes:
        ids: The ids of all pairs, one after the other: the source with EOS, BOS, the target and
            another EOS. The type is the smallest unsigned one that holds them.
        edges: The source of pair i begins at `edges[2 * i]`, its BOS is at `edges[2 * i + 1]`, and
            it ends before `edges[2 * i + 2]`, int64.
    """

    def __init__(self, ids: NDArray[np.unsignedinteger], edges: NDArray[np.int64]) -> None:
        self.ids = ids
        self.edges = edges

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> Self:
        """Copy pairs, which may come from an iterator, into arrays."""
        ids, edges = array("I"), array("q", [0])
        for pair in pairs:
            ids.extend(pair.source)
            edges.append(len(ids))
            ids.append(BOS)
            ids.extend(pair.target)
            ids.append(EOS)
            edges.append(len(ids))
        wide = np.asarray(ids)
        return cls(wide.astype(np.min_scalar_type(wide.max(initial=0))), np.array(edges, np.int64))

    @property
    def source_lengths(self) -> NDArray[np.int64]:
        """Return the number of tokens of each source, EOS included."""
        return self.edges[1::2] - self.edges[:-1:2]

    @property
    def target_lengths(self) -> NDArray[np.int64]:
        """Return the number of tokens of each target, with BOS or EOS."""
        return self.edges[2::2] - self.edges[1::2] - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the length of each pair, as `Pair.length` does."""
        return np.maximum(self.source_lengths, self.target_lengths)

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Return the pairs for which `chosen` is true, in the same order."""
        sentences = np.repeat(chosen, 2)
        lengths = np.diff(self.edges)
        edges = np.cumsum(lengths[sentences], dtype=np.int64)
        return Pairs(self.ids[np.repeat(sentences, lengths)], np.concatenate(([0], edges)))

    def __len__(self) -> int:
        return len(self.edges) // 2

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> "Pairs": ...
    def __getitem__(self, index: int | slice) -> "Pair | Pairs":
        chosen = range(len(self))[index]
        if isinstance(chosen, range):
            return Pairs.of(self[i] for i in chosen)
        return next(self._between(chosen, chosen + 1))

    def __iter__(self) -> Iterator[Pair]:
        for start in range(0, len(self), _CHUNK):
            yield from self._between(start, min(start + _CHUNK, len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pairs):
            return NotImplemented
        return np.array_equal(self.ids, other.ids) and np.array_equal(self.edges, other.edges)

    __hash__ = None  # type: ignore[assignment] # as for a list

    def __repr__(self) -> str:
        return f"<{len(self)} pairs, {len(self.ids)} tokens>"

    def _between(self, start: int, stop: int) -> Iterator[Pair]:
        edges = self.edges[2 * start : 2 * stop + 1]
        ids = self.ids[edges[0] : edges[-1]].tolist()
        places = (edges - edges[0]).tolist()
        for first, middle, last in zip(places[:-1:2], places[1::2], places[2::2], strict=True):
            yield Pair(tuple(ids[first:middle]), tuple(ids[middle + 1 : last - 1]))


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """The pairs of a text.

    Attributes:
        pairs: The pairs, in the order of the text.
        n_overlong: The number of pairs that were too long and were dropped or truncated.
    """

    pairs: Pairs
    n_overlong: int


def drawn_pairs(
    text: ParallelText, vocabulary: Vocabulary, *, n: int, max_tokens: int
) -> list[Pair]:
    """Draw pairs of a text, always the same, whose ends are cut where they are too long.

    Args:
        text: The sentences and their translations.
        vocabulary: The vocabulary of both languages.
        n: The number of pairs, or of all if there are fewer.
        max_tokens: The largest length (`Pair.length`) of a pair.
    """
    pairs = encode_pairs(text, vocabulary, max_tokens=max_tokens, overlong="truncate").pairs
    return Random(0).sample(pairs, min(len(pairs), n))


def encode_pairs(
    text: ParallelText,
    vocabulary: Vocabulary,
    *,
    max_tokens: int,
    overlong: Literal["drop", "truncate"] = "drop",
) -> EncodedPairs:
    """Encode a text for training (`drop`) or for evaluation (`truncate`).

    Args:
        text: The sentences and their translations.
        vocabulary: The vocabulary of both languages.
        max_tokens: The largest length (`Pair.length`) of a pair.
        overlong: What is done to longer pairs. They are dropped, or the ends of their sentences
            are cut off before the EOS. When they are truncated, pair i is that of line i.

    Raises:
        ValueError: `max_tokens` leaves no room, or no pair is left.
    """
    if max_tokens < 2:
        raise ValueError(f"'max_tokens' must be at least 2, one word and EOS. Got {max_tokens}.")
    if overlong not in ("drop", "truncate"):
        raise ValueError(f"'overlong' must be 'drop' or 'truncate'. Got {overlong!r}.")
    ids = zip(vocabulary.encode_all(text.source), vocabulary.encode_all(text.target), strict=True)
    pairs = Pairs.of(Pair((*source, EOS), tuple(target)) for source, target in ids)
    fits = pairs.lengths <= max_tokens
    n_overlong = int((~fits).sum())
    if not n_overlong:
        return EncodedPairs(pairs, 0)
    if overlong == "truncate":
        return EncodedPairs(Pairs.of(_truncate(pair, max_tokens) for pair in pairs), n_overlong)
    if not fits.any():
        raise ValueError(
            f"'max_tokens' must be at least {pairs.lengths.min()}, the shortest pair of this "
            f"text. Got {max_tokens}; raise it."
        )
    return EncodedPairs(pairs.where(fits), n_overlong)


def _truncate(pair: Pair, max_tokens: int) -> Pair:
    source = pair.source
    if len(source) > max_tokens:
        source = (*source[: max_tokens - 1], EOS)
    return Pair(source, pair.target[: max_tokens - 1])
