"""This module makes columns of what differs between the commands that hyperfine timed.

`run -t 8 --size=256` becomes `parameter_t` and `parameter_size`. hyperfine writes such columns
itself for parameters that it was told, and then nothing is added.
"""

import re
from collections.abc import Sequence
from typing import Final

from profilers.log.known_tables import HYPERFINE, known_table

_APART: Final = re.compile(r"[\s=]+")
_PREFIX: Final = "parameter_"

Cells = tuple[str, ...]


def with_arguments(
    columns: tuple[str, ...], rows: Sequence[Cells]
) -> tuple[tuple[str, ...], list[Cells], tuple[str, ...]]:
    """Return the columns and rows with the arguments of each command, and a remark.

    Any other table is returned as it is, and so is one of commands of unlike forms.

    Args:
        columns: The names of the columns.
        rows: The cells of each row, as many as there are columns.
    """
    table = known_table(columns)
    place = next((i for i, name in enumerate(columns) if name.lower() == "command"), None)
    has_own = any(name.startswith(_PREFIX) for name in columns)
    if table is None or table.program != HYPERFINE or place is None or has_own or not rows:
        return columns, list(rows), ()
    commands = [_APART.split(cells[place].strip()) for cells in rows]
    if len({len(words) for words in commands}) > 1:
        return columns, list(rows), ()
    arguments: dict[str, Sequence[str]] = {}
    for number, words in enumerate(zip(*commands, strict=True)):
        if len(set(words)) > 1:
            before = commands[0][number - 1] if number else ""
            option = before.lstrip("-") if before.startswith("-") else ""
            name = f"{_PREFIX}{option or number}"
            arguments[name if name not in arguments else f"{_PREFIX}{number}"] = words
    if not arguments:
        return columns, list(rows), ()
    remark = f"what differs between the commands became columns: {', '.join(arguments)}"
    added = zip(*arguments.values(), strict=True)
    wider = [(*cells, *more) for cells, more in zip(rows, added, strict=True)]
    return (*columns, *arguments), wider, (remark,)
