"""Machines that are nothing but a few files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from devices.testing import RecordedHost


def recorded(folder: Path, files: Mapping[str, str], cpus: Sequence[int] = (0,)) -> RecordedHost:
    """A machine with these files, by their path from "/"; they are written below the folder."""
    for name, text in files.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return RecordedHost(folder, cpus=tuple(cpus))
