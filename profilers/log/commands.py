"""This module makes columns of what differs between the commands that hyperfine timed.

`run -t 8 --size=256` becomes `parameter_t` and `parameter_size`. hyperfine writes such columns
itself for parameters that it was told, and then nothing is added.
"""

import re
from collections.abc import Sequence
from typing import Final

from profilers.log.known_tables import HYPERFINE, known_table

_APART: Final = re.compile(r"[\s=]+")
_OPTION: Final = re.compile(r"--?[^\W\d].*")  # -1 is a number
_PREFIX: Final = "parameter_"
_GIVEN: Final = "yes"
_NOT_GIVEN: Final = "no"

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
    commands = [_arguments(cells[place]) for cells in rows]
    arguments: dict[str, Sequence[str]] = {}
    for name in dict.fromkeys(name for command in commands for name in command):
        own = [command.get(name) for command in commands]
        if None in own and set(own) != {_GIVEN, None}:
            return columns, list(rows), ()
        values = [_NOT_GIVEN if value is None else value for value in own]
        if len(set(values)) > 1:
            arguments[f"{_PREFIX}{name}"] = values
    if not arguments:
        return columns, list(rows), ()
    remark = f"what differs between the commands became columns: {', '.join(arguments)}"
    added = zip(*arguments.values(), strict=True)
    wider = [(*cells, *more) for cells, more in zip(rows, added, strict=True)]
    return (*columns, *arguments), wider, (remark,)


def _arguments(command: str) -> dict[str, str]:
    """Return the value of each option by its name, and of each other word by its number from 0.

    Options may stand in any order. An option without a value is `yes`. The second value of an
    option that is given twice is that of `NAME_2`.
    """
    values: dict[str, str] = {}
    n_others, option = 0, ""
    for word in _APART.split(command.strip()):
        if _OPTION.fullmatch(word):
            option = name = word.lstrip("-")
            n_given = 1
            while option in values:
                n_given += 1
                option = f"{name}_{n_given}"
            values[option] = _GIVEN
        elif option:
            values[option], option = word, ""
        else:
            values[f"{n_others}"] = word
            n_others += 1
    return values
