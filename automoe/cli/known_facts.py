"""Read what files beside a model's weights tell of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.yaml_json import parse_json


def json_with(path: Path, name: str) -> Mapping[str, Any] | None:
    """Return the object in a JSON file that has a field; None when there is no such thing."""
    if path.suffix in {".yml", ".yaml"} or not path.is_file():
        return None
    content = parse_json(path.read_bytes())
    return content if isinstance(content, dict) and name in content else None
