"""The commands of `automoe` and their options, asked of the program's own parser."""

from collections.abc import Iterator, Sequence
from typing import Any

from typer.main import get_command

from automoe.cli.main import app


def _leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield name, command
    else:
        for word, subcommand in subcommands.items():
            yield from _leaves(subcommand, f"{name} {word}".strip())


_COMMANDS = dict(_leaves(get_command(app)))


def command_names() -> list[str]:
    """Return every command by its full name, such as "log check"."""
    return list(_COMMANDS)


def command_of(words: Sequence[str]) -> str | None:
    """Return the command that these words after `automoe` begin with, if there is one."""
    names = (" ".join(words[:length]) for length in (2, 1))
    return next((name for name in names if name in _COMMANDS), None)


def options_of(command: str) -> set[str]:
    """Return the spellings of the options of a command, `--help` included."""
    spellings = {"--help"}
    for parameter in _COMMANDS[command].params:
        spellings |= {
            each for each in (*parameter.opts, *parameter.secondary_opts) if each[0] == "-"
        }
    return spellings


def parse(words: Sequence[str]) -> None:
    """Parse the words after `automoe` without running the command.

    Raises:
        Exception: What the program itself raises for a wrong command line.
    """
    command = command_of(words)
    if command is None:
        raise ValueError(f"automoe has no command {' '.join(words[:2])!r}")
    _COMMANDS[command].make_context(command, list(words[len(command.split()) :]))
