import json
from typing import Any

import pytest

from devices.remote.answers import BadAnswerError, checked_answer, read_message

DIGEST = "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Last login: today",
        b"[1]",
        b"null",
        b'{"seq": 1',
        b"\xff\xfe",
        b"[" * 100000,
        b'{"seq": ' + b"1" * 10000 + b"}",
    ],
)
def test_a_line_that_is_no_message_is_one_line_of_error(line: bytes) -> None:
    with pytest.raises(BadAnswerError, match="^board sent b?'.*which is not a message") as caught:
        read_message(line, "board")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("op", "answer", "field"),
    [
        ("kernel", {"answer": ["Linux", "6.1"]}, "answer"),
        ("usable_cpus", {"answer": []}, "answer"),
        ("usable_cpus", {"answer": [True]}, "answer"),
        ("usable_cpus", {"answer": [-1]}, "answer"),
        ("read_text", {}, "answer"),
        ("read_text", {"answer": 7}, "answer"),
        ("glob", {"answer": "x"}, "answer"),
        ("link", {"missing": ["../x"], "folder": "/x"}, "missing"),
        ("link", {"missing": [DIGEST]}, "folder"),
        ("received", {"offset": -1}, "offset"),
        ("received", {"offset": 1.5}, "offset"),
        ("put", {"is_whole": 1}, "is_whole"),
        ("lock", {}, "holder"),
        ("ask_worker", {"line": None}, "line"),
        ("ask_worker", {"died": {"status": "9", "tail": ""}}, "died"),
        ("stop", {"died": None}, "died"),
        ("start", {"refused": ["no"]}, "refused"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(op: str, answer: dict[str, Any], field: str) -> None:
    with pytest.raises(BadAnswerError, match=f"^board answered '{op}' with .*field '{field}'"):
        checked_answer(answer, op, "board")


def test_texts_are_cleaned_but_lists_of_the_kernel_stay_lists() -> None:
    assert checked_answer({"holder": "\x1b[31mme"}, "lock", "b") == {"holder": "\ufffd[31mme"}
    answer = {"answer": "brcm,bcm2712\0raspberrypi\x1b"}
    names = checked_answer(answer, "read_text", "b")["answer"].split("\0")
    assert names == ["brcm,bcm2712", "raspberrypi\ufffd"]


def test_the_line_of_a_worker_is_left_to_its_reader() -> None:
    line = json.dumps({"text": "\x1b"})
    assert checked_answer({"line": line}, "ask_worker", "b") == {"line": line}


def test_values_without_an_end_are_an_error() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(BadAnswerError, match="answered 'start' with values that are nested too"):
        checked_answer({"more": deep}, "start", "board")
