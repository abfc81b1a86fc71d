"""This module finds in a text what tells whose machine it is: names, addresses, paths, serials."""

import getpass
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devices.registry import device_names

# Accounts and machines of many people have these names, which are also words of products.
_OF_MANY: Final = frozenset(
    {"localhost", "root", "user", "admin", "gpu", "model", "none", "linux", "ubuntu", "debian"}
    | {"nvidia", "tegra", "orin", "xavier", "nano", "intel", "xeon", "amd", "epyc", "ryzen"}
    | {"raspberry", "raspberrypi"}
)
_SHORTEST: Final = 3  # a shorter name is a part of many words


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of identity.

    Attributes:
        name: What it is called in a message.
        pattern: What it looks like.
        is_version_too: Whether a version of a program may look like it.
    """

    name: str
    pattern: re.Pattern[str]
    is_version_too: bool = False


# Unlike \b these hold beside an underscore, too.
_START: Final = r"(?<![A-Za-z0-9])"
_STOP: Final = r"(?![A-Za-z0-9])"
_ENDS: Final = "local|lan|home|internal|intranet|corp|localdomain|hpc|com|net|org|edu|gov|io|ai|dev"
# Without those that are English words, such as `in`: models have inputs like `encoder.in`.
_COUNTRIES: Final = "au|br|ca|ch|cn|co|cz|de|dk|es|eu|fi|fr|ie|jp|kr|nl|pl|ru|se|tw|uk"
_KINDS: Final = (
    Kind("a path", re.compile(r"(?:^|[\s\"'=:,;(\[])(?:~[\w.-]*|\.{1,2})?/\w")),
    Kind("a path", re.compile(rf"{_START}(?:home|Users)/\w")),
    Kind("a path", re.compile(r"(?:^|[^A-Za-z])[A-Za-z]:\\|\\\\\w")),
    Kind("an address", re.compile(r"[A-Za-z][\w+.-]*://|[\w.+-]+@[A-Za-z][\w.-]*")),
    Kind(
        "a host name",
        re.compile(rf"{_START}(?:[\w-]+\.)+(?:{_ENDS}|{_COUNTRIES}){_STOP}(?!\.\w)", re.I),
    ),
    Kind(
        "a network address",
        re.compile(rf"{_START}\d{{1,3}}(?:\.\d{{1,3}}){{3}}{_STOP}"),
        is_version_too=True,
    ),
    Kind(
        "a network address",
        re.compile(rf"{_START}(?:[0-9a-f]{{2}}[:-]){{5}}[0-9a-f]{{2}}{_STOP}", re.I),
    ),
    Kind(
        "a network address",
        re.compile(
            rf"{_START}(?:(?:[0-9a-f]{{1,4}}:){{3,7}}|[0-9a-f]{{1,4}}::)[0-9a-f]{{1,4}}{_STOP}",
            re.I,
        ),
    ),
    Kind(
        "an identity",
        re.compile(rf"{_START}[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}{_STOP}", re.I),
    ),
    Kind(
        "a serial number",
        re.compile(rf"{_START}(?:serial|s/n){_STOP}|{_START}sn[\W_]*\d", re.I),
    ),
)
# In a name of a processor or a mode. Elsewhere digests are as long.
_LONG_NUMBER: Final = re.compile(r"\b(?=\w*\d{4})(?=(?:[^\W\d]*\d){7})\w{8,}\b")


def identity_in(
    text: str,
    names: Collection[Kind] = (),
    *,
    is_version: bool = False,
    is_name: bool = False,
) -> str | None:
    """Return the kind of the first identity in a text; None when it has none.

    Identities are recognised by their form, so a host or a person whose name is one plain word is
    recognised only when it is among the names.

    Args:
        text: The text of one cell.
        names: Names to look for, see ``names_here``.
        is_version: Whether the text names versions of programs, which look like addresses.
        is_name: Whether the text names a product, in which a long number is a serial number.
    """
    for kind in (*_KINDS, *names):
        if not (is_version and kind.is_version_too) and kind.pattern.search(text):
            return kind.name
    return "a serial number" if is_name and _LONG_NUMBER.search(text) else None


def names_here(destinations: Collection[str] = ()) -> tuple[Kind, ...]:
    """Return the names of this machine, of its user and of other machines, in any case.

    Left out are names of devices and those that accounts and machines of many people have.

    Args:
        destinations: Other machines, as typed after ``ssh``: ``alice@board``.
    """
    host = socket.gethostname()
    names = {host: "this machine's name", host.partition(".")[0]: "this machine's name"}
    try:
        names[getpass.getuser()] = "your user name"
        names[Path.home().name] = "your user name"
    except (KeyError, OSError, RuntimeError):  # a user without an entry, as in some containers
        pass
    for word in re.split(r"[@:/\[\]]+", "/".join(destinations)):
        names |= dict.fromkeys((word, word.partition(".")[0]), "a name in your --host")
    of_many = {*_OF_MANY, "ssh", *device_names()}
    return tuple(
        Kind(what, re.compile(rf"{_START}{re.escape(name)}{_STOP}", re.I))
        for name, what in names.items()
        if len(name) >= _SHORTEST and name.lower() not in of_many and not name.isdigit()
    )
