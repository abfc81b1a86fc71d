"""Sentence pairs as token ids."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from automoe.text.corpus import ParallelText
from automoe.text.special_tokens import EOS
from automoe.text.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Pair:
    """One sentence and its translation.

    Attributes:
        source: Ids of the source, EOS last.
        target: Ids of the target, without BOS and EOS.

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
        """Tokens of the longer side: the source, or the target with BOS (or EOS) added."""
        return max(len(self.source), len(self.target) + 1)


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """The pairs of a text, and what was done to the long ones.

    Attributes:
        pairs: The pairs, in the order of the text.
        n_overlong: How many were longer than allowed, and so dropped or truncated.
    """

    pairs: tuple[Pair, ...]
    n_overlong: int


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
        vocabulary: Gives the ids of both sides.
        max_tokens: The longest pair (`Pair.length`) that is left as it is.
        overlong: Whether longer pairs are left out, or lose the end of their sentences; the EOS
            stays, and so does every pair, so that pair i belongs to line i.

    Raises:
        ValueError: `max_tokens` leaves no room, or no pair is left.
    """
    if max_tokens < 2:
        raise ValueError(f"'max_tokens' must be at least 2, one word and EOS. Got {max_tokens}.")
    if overlong not in ("drop", "truncate"):
        raise ValueError(f"'overlong' must be 'drop' or 'truncate'. Got {overlong!r}.")
    pairs = list(_encode(text, vocabulary))
    n_overlong = sum(pair.length > max_tokens for pair in pairs)
    if overlong == "truncate":
        return EncodedPairs(tuple(_truncate(pair, max_tokens) for pair in pairs), n_overlong)
    kept = tuple(pair for pair in pairs if pair.length <= max_tokens)
    if pairs and not kept:
        shortest = min(pair.length for pair in pairs)
        raise ValueError(
            f"'max_tokens' must be at least {shortest}, the shortest pair of this text. "
            f"Got {max_tokens}; raise it."
        )
    return EncodedPairs(kept, n_overlong)


def _encode(text: ParallelText, vocabulary: Vocabulary) -> Iterator[Pair]:
    for source, target in zip(text.source, text.target, strict=True):
        yield Pair((*vocabulary.encode(source), EOS), tuple(vocabulary.encode(target)))


def _truncate(pair: Pair, max_tokens: int) -> Pair:
    if pair.length <= max_tokens:
        return pair
    source = pair.source
    if len(source) > max_tokens:
        source = (*source[: max_tokens - 1], EOS)
    return Pair(source, pair.target[: max_tokens - 1])
