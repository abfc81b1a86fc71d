"""This module turns sentence pairs into token ids."""

from dataclasses import dataclass
from typing import Literal

from automoe.text.corpus import ParallelText
from automoe.text.special_tokens import EOS
from automoe.text.vocabulary import Vocabulary


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


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """The pairs of a text.

    Attributes:
        pairs: The pairs, in the order of the text.
        n_overlong: The number of pairs that were too long and were dropped or truncated.
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
    pairs = [
        Pair((*vocabulary.encode(source), EOS), tuple(vocabulary.encode(target)))
        for source, target in zip(text.source, text.target, strict=True)
    ]
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


def _truncate(pair: Pair, max_tokens: int) -> Pair:
    source = pair.source
    if len(source) > max_tokens:
        source = (*source[: max_tokens - 1], EOS)
    return Pair(source, pair.target[: max_tokens - 1])
