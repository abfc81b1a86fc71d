"""This module reads what a request asks for, and refuses what cannot be translated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from devices.yaml_json import parse_json

_CHARACTERS_OF_A_TOKEN = 32  # with spaces; the pieces of SentencePiece have at most 16
_FORM = 'send {"text": "..."} or {"text": ["...", "..."]}'


class RefusedError(Exception):
    """A request that gets no translation.

    Attributes:
        status: The status of the answer.
        headers: Headers of the answer.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that can be translated.

    Attributes:
        text: The sentence.
        n_tokens: The number of its tokens, EOS included.
    """

    text: str
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    Attributes:
        sentences: The sentences, at least one.
        is_list: Whether they came in a list, so that the answer is a list as well.
    """

    sentences: Sequence[Sentence]
    is_list: bool


class _Pieces(Protocol):
    def encode(self, sentence: str) -> list[int]: ...


@dataclass(frozen=True)
class Reader:
    """Reads bodies for one model.

    Attributes:
        vocabulary: The pieces of the model's vocabulary.
        max_tokens: The length of the longest sentence that the model reads, EOS included.
        max_sentences: The most sentences of a request.
    """

    vocabulary: _Pieces = field(repr=False)
    max_tokens: int
    max_sentences: int

    def read(self, body: bytes) -> Asked:
        """Return what a body asks for.

        Raises:
            RefusedError: The body is not of the form that is asked for, or has too many or too
                long sentences.
        """
        text = _text_of(_json_of(body))
        texts = [text] if isinstance(text, str) else text
        if len(texts) > self.max_sentences:
            raise RefusedError(
                413,
                f"'text' must have at most {self.max_sentences} sentences. Got {len(texts)}; "
                "send several requests.",
            )
        sentences = [self._sentence(x, number) for number, x in enumerate(texts, start=1)]
        return Asked(sentences, is_list=not isinstance(text, str))

    def _sentence(self, text: str, number: int) -> Sentence:
        most = _CHARACTERS_OF_A_TOKEN * self.max_tokens
        if len(text) > most:
            raise _too_long(number, most, "characters", len(text))
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise RefusedError(
                422, f"Sentence {number} of 'text' has half of a surrogate pair; send whole ones."
            )
        n_tokens = len(self.vocabulary.encode(text)) + 1
        if n_tokens > self.max_tokens:
            raise _too_long(number, self.max_tokens - 1, "tokens", n_tokens - 1)
        return Sentence(text, n_tokens)


def too_large(max_bytes: int) -> RefusedError:
    """Return the refusal of a body that is too large."""
    return RefusedError(
        413, f"The body must have at most {max_bytes} bytes; send several requests."
    )


def _too_long(number: int, most: int, unit: str, n: int) -> RefusedError:
    return RefusedError(
        422, f"Sentence {number} of 'text' must have at most {most} {unit}. Got {n}; split it."
    )


def _json_of(body: bytes) -> Any:
    try:
        return parse_json(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = body[error.start]
        reason = f"The body is not UTF-8: byte {error.start + 1} is 0x{byte:02x}"
    except (ValueError, RecursionError) as error:
        reason = f"The body is not JSON: {' '.join(str(error).split()):.100}"
    raise RefusedError(400, f"{reason}; {_FORM}.")


def _text_of(content: Any) -> str | list[str]:
    if not isinstance(content, dict):
        raise RefusedError(422, f"The body must be an object. Got {_kind(content)}; {_FORM}.")
    if "text" not in content:
        raise RefusedError(422, f"The body has no 'text'; {_FORM}.")
    if unknown := sorted(content.keys() - {"text"}):
        raise RefusedError(422, f"The body has an unknown field {unknown[0]!a:.60}; {_FORM}.")
    text = content["text"]
    if isinstance(text, str):
        return text
    if not isinstance(text, list):
        raise RefusedError(
            422, f"'text' must be a string or a list of strings. Got {_kind(text)}; {_FORM}."
        )
    if not text:
        raise RefusedError(422, f"'text' must have at least one sentence. Got none; {_FORM}.")
    for number, each in enumerate(text, start=1):
        if not isinstance(each, str):
            raise RefusedError(
                422, f"Sentence {number} of 'text' must be a string. Got {_kind(each)}; {_FORM}."
            )
    return text


_KINDS: Sequence[tuple[Callable[[Any], bool], str]] = (
    (lambda x: x is None, "null"),
    (lambda x: isinstance(x, bool), "a boolean"),
    (lambda x: isinstance(x, int | float), "a number"),
    (lambda x: isinstance(x, str), "a string"),
    (lambda x: isinstance(x, list), "a list"),
)


def _kind(value: Any) -> str:
    return next((name for is_so, name in _KINDS if is_so(value)), "an object")
