"""What a body asks for, and the one line of each refusal."""

import json

import pytest

from automoe.serving.reading import Reader, RefusedError, Sentence


class Words:
    """A vocabulary with a piece for each word."""

    def encode(self, sentence: str) -> list[str]:
        return sentence.split()


READER = Reader(Words(), max_tokens=5, max_sentences=3)


def test_one_sentence_and_a_list_are_told_apart() -> None:
    one = READER.read(b'{"text": "the old tree"}')
    assert (one.sentences, one.is_list) == ([Sentence("the old tree", 4)], False)
    several = READER.read('{"text": ["für", ""]}'.encode())
    assert (several.sentences, several.is_list) == ([Sentence("für", 2), Sentence("", 1)], True)


def test_the_longest_sentence_is_read() -> None:
    assert READER.read(b'{"text": "a b c d"}').sentences[0].n_tokens == 5


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "^The body is not JSON: line 1: not valid JSON: Expecting value"),
        (b'{"text": "a"', 400, "^The body is not JSON: .*; send {"),
        (b'{"text": "caf\xe9"}', 400, "^The body is not UTF-8: byte 14 is 0xe9; send {"),
        (b"[" * 100_000, 400, "^The body is not JSON: "),
        (b'{"text": ' + b"1" * 5000 + b"}", 400, "^The body is not JSON: "),
        (b'["a"]', 422, "^The body must be an object. Got a list; send {"),
        (b"null", 422, "^The body must be an object. Got null; "),
        (b"{}", 422, "^The body has no 'text'; send "),
        (b'{"text": "a", "beam": 2}', 422, "^The body has an unknown field 'beam'; "),
        (b'{"text": 1.5}', 422, "^'text' must be a string or a list of strings. Got a number; "),
        (b'{"text": {"a": 1}}', 422, "Got an object; "),
        (b'{"text": []}', 422, "^'text' must have at least one sentence. Got none; send "),
        (b'{"text": ["a", true]}', 422, "^Sentence 2 of 'text' must be a string. Got a boolean; "),
        (b'{"text": [["a"]]}', 422, "^Sentence 1 of 'text' must be a string. Got a list; "),
        (b'{"text": ["a", "\\ud800"]}', 422, "^Sentence 2 of 'text' has half of a surrogate pair"),
        (b'{"text": "a b c d e"}', 422, "^Sentence 1 of 'text' must have at most 4 tokens. Got 5"),
        (
            json.dumps({"text": " " * 161}).encode(),
            422,
            "^Sentence 1 of 'text' must have at most 160 characters. Got 161; split it.$",
        ),
        (
            b'{"text": ["a", "b", "c", "d"]}',
            413,
            "^'text' must have at most 3 sentences. Got 4; send several requests.$",
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_refusal_says_what_is_wrong_in_one_line(body: bytes, status: int, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        READER.read(body)
    assert refused.value.status == status
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250
