"""Files of JSON lines that are appended to, each line on disk before the next thing is done."""

import json
import os
from pathlib import Path
from typing import Any


def append_line(path: Path, content: Any) -> None:
    """Write one more line; it is on disk when this returns.

    What a killed process left unfinished stays on a line of its own: another process may be
    appending to the same file, so nothing is taken off it.

    Args:
        path: The file; it and its folder are made when they are not there.
        content: JSON types, finite numbers.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            is_whole = file.read() == b"\n"
        else:
            is_whole = True
        line = json.dumps(content, allow_nan=False).encode() + b"\n"
        file.write(line if is_whole else b"\n" + line)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[Any]:
    """What the whole lines hold, in order; what is no JSON is passed over.

    Args:
        path: The file; without one there is nothing.
    """
    found = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
