"""This module finds in a text what tells whose machine it is: names, addresses, paths, serials."""

import getpass
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OF_MANY: Final = frozenset({"localhost", "root", "user", "admin", "cpu", "gpu", "model", "none"})
_SHORTEST: Final = 3  # a shorter name is a part of many words


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of identity.

    Attributes:
        name: What it is called in a message.
        pattern: What it looks like.
        is_version_too: Whether a version of a program may look like it.
    """

    name: str
    pattern: re.Pattern[str]
    is_version_too: bool = False


_ENDS: Final = "local|lan|home|internal|intranet|corp|localdomain|com|net|org|edu|gov|io|ai|dev"
_COUNTRIES: Final = "at|au|be|br|ca|ch|cn|cz|de|dk|es|eu|fi|fr|ie|in|it|jp|kr|nl|no|pl|se|tw|uk|us"
_KINDS: Final = (
    _Kind("a path", re.compile(r"(?:^|[\s\"'=:,;(\[])(?:~[\w.-]*|\.{1,2})?/\w")),
    _Kind("a path", re.compile(r"\b(?:home|Users)/\w")),
    _Kind("a path", re.compile(r"(?:^|[^A-Za-z])[A-Za-z]:\\|\\\\\w")),
    _Kind("an address", re.compile(r"[A-Za-z][\w+.-]*://|[\w.+-]+@[A-Za-z][\w.-]*")),
    _Kind(
        "a host name",
        re.compile(rf"\b(?:[A-Za-z0-9-]+\.)+(?:{_ENDS}|{_COUNTRIES})\b(?!\.\w)", re.IGNORECASE),
    ),
    _Kind("a network address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), is_version_too=True),
    _Kind("a network address", re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.IGNORECASE)),
    _Kind(
        "a network address",
        re.compile(r"\b(?:(?:[0-9a-f]{1,4}:){3,7}|[0-9a-f]{1,4}::)[0-9a-f]{1,4}\b", re.I),
    ),
    _Kind("an identity", re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I)),
    _Kind("a serial number", re.compile(r"\b(?:serial|s/n)\b|\bsn\W*\d", re.IGNORECASE)),
)
# In a name of a processor or a mode. Elsewhere digests are as long.
_LONG_NUMBER: Final = re.compile(r"\b(?=\w*\d{4})(?=(?:\D*\d){7})\w{8,}\b")


def identity_in(text: str, *, is_version: bool = False, is_name: bool = False) -> str | None:
    """Return the kind of the first identity in a text; None when it has none.

    The name of this machine and that of its user are known. Others are recognised by their form, so
    a host or a person whose name is one plain word is not.

    Args:
        text: The text of one cell.
        is_version: Whether the text names versions of programs, which look like addresses.
        is_name: Whether the text names a product, in which a long number is a serial number.
    """
    for kind in _KINDS:
        if not (is_version and kind.is_version_too) and kind.pattern.search(text):
            return kind.name
    if is_name and _LONG_NUMBER.search(text):
        return "a serial number"
    for name, what in _names_here().items():
        if re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text):
            return what
    return None


def _names_here() -> dict[str, str]:
    """Return the names of this machine and of its user, with what they are."""
    host = socket.gethostname()
    names = {host: "this machine's name", host.partition(".")[0]: "this machine's name"}
    try:
        names[getpass.getuser()] = "your user name"
        names[Path.home().name] = "your user name"
    except (KeyError, OSError, RuntimeError):  # a user without an entry, as in some containers
        pass
    return {
        name: what
        for name, what in names.items()
        if len(name) >= _SHORTEST and name.lower() not in _OF_MANY
    }
