"""This module checks addresses of remote machines and reads their names in `devices.yaml`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "devices.yaml"
_DESTINATION = re.compile(r"(ssh://)?([\w.+-]+@)?(\[[0-9A-Fa-f:.%\w]+\]|[\w.:%-]+)(:\d+)?/?", re.A)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FIELDS = ("host", "device", "python")


class RemoteAddressError(ValueError):
    """An address or a file of addresses that cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """A machine that OpenSSH can reach.

    Attributes:
        destination: The destination as typed after `ssh`: a host of its configuration, `user@board`
            or `ssh://user@board:2222`.
        python: The interpreter there that has the runtime, such as `~/venv/bin/python`. When it is
            empty, the first of python3, python3.14, ... that is at least 3.8 is used.

    Raises:
        RemoteAddressError: The destination could be taken for an option or for a command.
    """

    destination: str
    python: str = ""

    def __post_init__(self) -> None:
        if re.fullmatch(r"([\w.+-]+@)?(\[[^\]]*\]|[^:@/\[\]]+):\d+", self.destination, re.A):
            raise RemoteAddressError(
                f"A port needs the form ssh://user@board:port. Got {self.destination!r}; "
                f"write ssh://{self.destination}."
            )
        is_option = self.destination.startswith("-") or "@-" in self.destination
        if is_option or not _DESTINATION.fullmatch(self.destination):
            raise RemoteAddressError(
                f"A host must be a name of your ssh configuration, user@board or "
                f"ssh://user@board:port. Got {self.destination!r}."
            )


@dataclass(frozen=True, slots=True)
class NamedDevice:
    """A machine of `devices.yaml`.

    Attributes:
        address: The address of the machine.
        device: The plugin that measures it; None when the file does not say.
    """

    address: RemoteAddress
    device: str | None


def read_named_devices(path: Path | None = None) -> dict[str, NamedDevice]:
    """Return the machines of a file by their names; none when there is no file.

    Args:
        path: The file. The default is `devices.yaml` in the current folder, or else
            `automoe/devices.yaml` in `$XDG_CONFIG_HOME` or `~/.config`.

    Raises:
        RemoteAddressError: The file is not YAML, or a field is unknown or of the wrong type.
        OSError: The given file cannot be read.
    """
    file = path or next((place for place in _places() if place.is_file()), None)
    if file is None:
        return {}
    content = _parse(file)
    return {name: _named_device(name, entry, file) for name, entry in content.items()}


def _places() -> tuple[Path, ...]:
    config = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(config) if config else Path.home() / ".config"
    return Path(FILE_NAME), folder / "automoe" / FILE_NAME


def _parse(path: Path) -> Mapping[Any, Any]:
    from devices.yaml_json import FileContentError, read_yaml

    try:
        return read_yaml(path)
    except FileContentError as error:
        raise RemoteAddressError(str(error)) from None


def _named_device(name: object, entry: object, path: Path) -> NamedDevice:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RemoteAddressError(
            f"{path}: a name must consist of letters, digits, '.', '_' and '-'. Got {name!r}."
        )
    if not isinstance(entry, Mapping) or not isinstance(entry.get("host"), str):
        raise RemoteAddressError(f"{path}: {name!r} must have a 'host', such as user@board.")
    for field, value in entry.items():
        if field not in _FIELDS or not isinstance(value, str):
            raise RemoteAddressError(
                f"{path}: the fields of {name!r} are texts named {', '.join(_FIELDS)}. "
                f"Got {field!r}: {value!r}."
            )
    try:
        address = RemoteAddress(entry["host"], entry.get("python", ""))
    except RemoteAddressError as error:
        raise RemoteAddressError(f"{path}: {name!r}: {error}") from None
    return NamedDevice(address, entry.get("device"))
