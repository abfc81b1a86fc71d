"""This module reads architectures from JSON, from JSON lines and from YAML of HAT or AutoMoE."""

from collections.abc import Iterable
from pathlib import Path

from automoe.architecture.architecture import Architecture, ArchitectureError
from automoe.architecture.hat_subnet import read_subnet_yaml
from devices.files import replacing
from devices.yaml_json import FileContentError, parse_json


def read_architecture(path: Path) -> Architecture:
    """Read one architecture from a file.

    A ``.yml`` or ``.yaml`` file is read as one of HAT or AutoMoE, any other file as JSON. A search
    result or a model's description is accepted too: it holds an ``architecture``.

    Raises:
        FileNotFoundError: There is no such file.
        ArchitectureError: The file holds no architecture. The message names the file, the field
            and the value.
    """
    if path.suffix in {".yml", ".yaml"}:
        return read_subnet_yaml(_existing(path))
    return _parse(_content(path), where=str(path))


def read_architectures(path: Path) -> list[Architecture]:
    """Read every architecture of a ``.jsonl`` file, or the one of any other file.

    Raises:
        FileNotFoundError: There is no such file.
        ArchitectureError: A line holds no architecture. The message names the file, the line and
            the value.
    """
    if path.suffix != ".jsonl":
        return [read_architecture(path)]
    lines = enumerate(_content(path).split(b"\n"), start=1)
    architectures = [_parse(line, where=f"{path}, line {n}") for n, line in lines if line.strip()]
    if not architectures:
        raise ArchitectureError(f"{path}: holds no architecture. Write one JSON object per line.")
    return architectures


def write_architectures(path: Path, architectures: Iterable[Architecture]) -> None:
    """Write each architecture as a line of canonical JSON."""
    with replacing(path) as complete:
        complete.write_text("".join(a.to_json() + "\n" for a in architectures), encoding="utf-8")


def _parse(text: bytes, *, where: str) -> Architecture:
    try:
        content = parse_json(text)
        if isinstance(content, dict) and "architecture" in content:
            content = content["architecture"]
        return Architecture.from_dict(content)
    except (FileContentError, ArchitectureError) as error:
        raise ArchitectureError(f"{where}: {error}") from None


def _content(path: Path) -> bytes:
    return _existing(path).read_bytes()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"No architecture file '{path}'. Check the path.")
    return path
