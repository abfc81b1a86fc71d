"""This module checks the answers of a remote machine, as if they were files of a stranger."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from devices.plain_text import plain_values
from devices.spec import DeviceUnavailableError
from devices.yaml_json import FileContentError, parse_json

_NUL_SEPARATED = "read_text"  # the kernel ends each name of a list with NUL
_SHOWN = 40

Check = Callable[[object], bool]


class BadAnswerError(DeviceUnavailableError):
    """A machine that answers something else than AutoMoE's program does."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_optional_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_kernel(value: object) -> bool:
    return _is_texts(value) and len(value) == 3  # type: ignore[arg-type]


def _is_cpus(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_count, value))


def _is_digests(value: object) -> bool:
    return _is_texts(value) and all(re.fullmatch("[0-9a-f]{64}", x) for x in value)  # type: ignore[attr-defined]


def _is_end(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("status"), int | None)
        and isinstance(value.get("tail"), str)
    )


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


# What each field of an answer must be, by the operation that was asked for.
_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "kernel": {"answer": _is_kernel},
    "usable_cpus": {"answer": _is_cpus},
    "read_text": {"answer": _is_optional_text},
    "glob": {"answer": _is_texts},
    "run": {"answer": _is_optional_text},
    "package_version": {"answer": _is_optional_text},
    "link": {"missing": _is_digests, "folder": _is_text},
    "received": {"offset": _is_count},
    "grow": {"offset": _is_count},
    "put": {"is_whole": _is_truth},
    "lock": {"holder": _is_optional_text},
    "stop": {"died": _is_end},
}


def read_message(line: bytes, place: str) -> dict[str, Any]:
    """Return the message in a line, with texts that a terminal can show.

    Raises:
        BadAnswerError: The line is not a message.
    """
    try:
        message = parse_json(line)
    except FileContentError:
        message = None
    if not isinstance(message, dict):
        raise BadAnswerError(
            f"{place} sent {_shown(line)}, which is not a message of AutoMoE's program. Look at "
            f"what else writes into the connection."
        )
    return message


def checked_answer(answer: dict[str, Any], op: str, place: str) -> dict[str, Any]:
    """Return an answer to an operation, with texts that a terminal can show.

    Raises:
        BadAnswerError: A field is missing or of the wrong type. The message names it.
    """
    fields = dict(_FIELDS.get(op, {}))
    if "refused" in answer:
        fields = {"refused": _is_text}
    elif op == "ask_worker":
        fields = {"died": _is_end} if "died" in answer else {"line": _is_text}
    for name, is_right in fields.items():
        if not is_right(answer.get(name)) or name not in answer:
            raise BadAnswerError(
                f"{place} answered {op!r} with {_shown(answer.get(name))} as its field {name!r}, "
                f"which AutoMoE's program does not. Look at what runs there."
            )
    if op == "read_text" and isinstance(answer["answer"], str):
        names = answer["answer"].split("\0")
        return {**answer, "answer": "\0".join(map(plain_values, names))}
    if op == "ask_worker" and "line" in answer:
        return answer
    try:
        return dict(plain_values(answer))
    except RecursionError:
        raise BadAnswerError(
            f"{place} answered {op!r} with values that are nested too deeply. Look at what runs "
            f"there."
        ) from None


def _shown(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return f"{text!a:.{_SHOWN}}"
