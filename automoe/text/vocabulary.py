"""This module learns vocabularies of subword pieces for two languages, with SentencePiece."""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, Self

import sentencepiece

from automoe.text.corpus import Corpus
from automoe.text.special_tokens import BOS, EOS, PAD, UNK
from devices.files import replacing

_MAX_SENTENCES = 200_000  # 547 000 take three times as long and make texts 0.1 % shorter
_SEEDS = 12, 100_000, 1_000_000  # the candidates for one piece, the fewest and the most in all
_N_THREADS = 16  # on any machine, because sums in another order would give other bytes
_RESERVED = frozenset("\0 \u2581\u2585")  # SentencePiece uses these characters itself
_MAX_SENTENCE_BYTES = 1 << 16  # SentencePiece skips longer sentences without a message
_CHUNK = 10_000  # the number of texts that are encoded at a time
_ERRORS_ONLY = 2
_IDS = {"pad": PAD, "bos": BOS, "eos": EOS, "unk": UNK}
_TOO_HIGH = re.compile(r"Vocabulary size too high .* value <= (\d+)")
_TOO_LOW = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


class VocabularyError(ValueError):
    """A vocabulary that cannot be trained, read or used as asked."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces of words and their ids. The ids of `special_tokens` come first.

    Text is not normalised, so `decode(encode(text))` returns the text, with three exceptions:
    blanks at the ends are removed, several blanks in a row become one, and a character that the
    vocabulary does not have becomes the unknown token's mark.

    Attributes:
        model: A serialised SentencePiece model.

    Raises:
        VocabularyError: The bytes are not such a model, or its special tokens have other ids.
    """

    model: bytes = field(repr=False)
    _pieces: sentencepiece.SentencePieceProcessor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pieces", _processor(self.model))
        ids = {name: getattr(self._pieces, f"{name}_id")() for name in _IDS}
        if ids != _IDS:
            raise VocabularyError(
                f"The special tokens must have the ids {_IDS}. Got {ids}; "
                "train the vocabulary with AutoMoE."
            )

    @classmethod
    def train(
        cls,
        text: Corpus | Iterable[str],
        *,
        size: int,
        model_path: Path,
        seed: int = 0,
        algorithm: Literal["unigram", "bpe"] = "unigram",
        character_coverage: float = 1.0,
    ) -> Self:
        """Learn one vocabulary for all of `text` and write it to `model_path`.

        The same arguments give the same bytes, on any number of cores.

        Args:
            text: A corpus, whose train split is used in both languages, or sentences.
            size: The number of pieces, the four special tokens included.
            model_path: The file of the model. A file that exists is replaced in one step.
            seed: The seed that draws 200 000 sentences when there are more. All characters of the
                others are in the vocabulary, too, unless `character_coverage` is below 1.
            algorithm: The algorithm that chooses the pieces.
            character_coverage: The share of all characters that must be in the vocabulary. Lower
                it for a large corpus with many rare characters.

        Raises:
            VocabularyError: There is no text, or `size` does not suit it. The message names the
                nearest possible size.
            CorpusError: The train split cannot be read.
        """
        sentences = _sentences(text)
        if not sentences:
            raise VocabularyError("'text' must hold at least one sentence. Got none; add text.")
        options = {
            "vocab_size": size,
            "model_type": algorithm,
            "character_coverage": character_coverage,
        }
        required = ""
        if len(sentences) > _MAX_SENTENCES:
            required = _characters(sentences) if character_coverage == 1 else ""
            sentences = Random(seed).sample(sentences, _MAX_SENTENCES)
        vocabulary = cls(_train(sentences, options, required))
        vocabulary.save(model_path)
        return vocabulary

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a vocabulary that `train` or `save` wrote.

        Raises:
            VocabularyError: The file cannot be read or holds no usable vocabulary.
        """
        try:
            return cls(path.read_bytes())
        except OSError as error:
            reason = f"cannot be read: {error.strerror}. Correct the path or train one."
            raise VocabularyError(f"The vocabulary '{path}' {reason}") from None
        except VocabularyError as error:
            raise VocabularyError(f"'{path}': {error}") from None

    def save(self, path: Path) -> None:
        """Write the model to `path` in one step, and make missing folders."""
        with replacing(path) as complete:
            complete.write_bytes(self.model)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces of `text`, without BOS and EOS."""
        ids: list[int] = self._pieces.encode(text)
        return ids

    def encode_all(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Return the ids of each text, as `encode` does. All cores encode some texts at a time."""
        for start in range(0, len(texts), _CHUNK):
            yield from self._pieces.encode(list(texts[start : start + _CHUNK]))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`. PAD, BOS and EOS are skipped.

        Raises:
            VocabularyError: An id is not in the vocabulary.
        """
        kept = [token for token in ids if token not in (PAD, BOS, EOS)]
        for token in kept:
            if not 0 <= token < self.size:
                raise VocabularyError(
                    f"'ids' must be in [0, size={self.size}). Got {token}; "
                    "decode with the vocabulary that the model was trained with."
                )
        text: str = self._pieces.decode(kept)
        return text

    @property
    def size(self) -> int:
        """Return the number of pieces, special tokens included."""
        return int(self._pieces.get_piece_size())

    @property
    def sha256(self) -> str:
        """Return the digest of the model in hexadecimal; equal vocabularies have equal ones."""
        return hashlib.sha256(self.model).hexdigest()


def _processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    # SentencePiece loads zero bytes as a model without pieces, and fails only when it is used.
    try:
        if model:
            return sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError:
        pass
    raise VocabularyError(
        f"Not a SentencePiece model ({len(model)} bytes). Choose another file or train one."
    )


def _sentences(text: Corpus | Iterable[str]) -> list[str]:
    if isinstance(text, Corpus):
        train = text.split("train")
        text = (*train.source, *train.target)
    return [sentence for sentence in text if sentence.strip()]


def _characters(sentences: list[str]) -> str:
    return "".join(sorted(set().union(*sentences) - _RESERVED))


def _train(sentences: list[str], options: Mapping[str, Any], required_chars: str) -> bytes:
    model = io.BytesIO()
    for_each, fewest, most = _SEEDS
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            normalization_rule_name="identity",
            max_sentence_length=_MAX_SENTENCE_BYTES,
            minloglevel=_ERRORS_ONLY,
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNK,
            required_chars=required_chars,
            seed_sentencepiece_size=min(max(for_each * options["vocab_size"], fewest), most),
            num_threads=_N_THREADS,
            **options,
        )
    except RuntimeError as error:
        raise VocabularyError(_explain(str(error), options)) from None
    return model.getvalue()


def _explain(message: str, options: Mapping[str, Any]) -> str:
    got = f"Got {options['vocab_size']}"
    if largest := _TOO_HIGH.search(message):
        return f"'size' must be at most {largest[1]} for this text. {got}; lower it or add text."
    if smallest := _TOO_LOW.search(message):
        return (
            f"'size' must be at least {smallest[1]}, one for each character of this text. {got}; "
            f"raise it or lower 'character_coverage' ({options['character_coverage']})."
        )
    if "!sentences_.empty()" in message:
        return (
            f"'text' must hold a sentence of at most {_MAX_SENTENCE_BYTES} bytes. "
            "Got longer ones only; put one sentence on each line."
        )
    reason = " ".join(message.split())
    return f"SentencePiece could not train with {options}: {reason} Change these or the text."
