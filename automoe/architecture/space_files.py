"""This module reads files of search spaces: the presets, those of a user, and those of HAT."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from automoe.architecture.hat_space import fields_of_space, is_space_yaml
from automoe.architecture.hat_subnet import is_subnet_yaml
from devices.yaml_json import FileContentError, parse_yaml

PRESETS = ("wmt14-en-de", "wmt14-en-fr", "wmt19-en-de", "iwslt14-de-en", "tiny")


def preset_content(name: str) -> bytes:
    """Return the content of a preset's file; ``name`` is one of `PRESETS`."""
    return files("automoe").joinpath(f"presets/{name}.yaml").read_bytes()


def fields_in(content: bytes, *, where: str) -> dict[str, Any]:
    """Return the fields of a `SearchSpace` from the content of a file of ours, HAT or AutoMoE.

    Args:
        content: The YAML text.
        where: The name of the file, with which every message begins.

    Raises:
        FileContentError: The content is not valid YAML, or it is one architecture.
    """
    fields = parse_yaml(content, where=where)
    if is_subnet_yaml(fields):
        raise FileContentError(
            f"{where}: this is one architecture of HAT or AutoMoE, not a space. Give the space "
            "(supertransformer/space0.yml), or a preset."
        )
    if is_space_yaml(fields):
        return fields_of_space(fields, name=Path(where).stem, where=where)
    return fields
