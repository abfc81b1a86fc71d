"""The commands of `automoe` and their options, asked of the program's own parser."""

from collections.abc import Iterator, Sequence
from functools import cache

from cyclopts import App
from cyclopts.argument import Argument

from automoe.cli.main import app


def _leaves(parent: App, name: str = "") -> Iterator[tuple[str, App]]:
    if parent.default_command is not None:
        yield name, parent
    else:
        for word in parent:
            if not word.startswith("-"):
                yield from _leaves(parent[word], f"{name} {word}".strip())


_COMMANDS = dict(_leaves(app))


def command_names() -> list[str]:
    """Return every command by its full name, such as "log check"."""
    return list(_COMMANDS)


def command_of(words: Sequence[str]) -> str | None:
    """Return the command that these words after `automoe` begin with, if there is one."""
    names = (" ".join(words[:length]) for length in (2, 1))
    return next((name for name in names if name in _COMMANDS), None)


def arguments_of(command: str) -> list[Argument]:
    """Return the positional arguments and the options that a command takes."""
    arguments = _COMMANDS[command].assemble_argument_collection(
        default_parameter=app.default_parameter, parse_docstring=True
    )
    return [argument for argument in arguments if argument.show]


@cache
def options_of(command: str) -> frozenset[str]:
    """Return the spellings of the options of a command, `--help` included."""
    names = {name for argument in arguments_of(command) for name in argument.names}
    return frozenset({"--help"} | {name for name in names if name.startswith("-")})


def parse(words: Sequence[str]) -> None:
    """Parse the words after `automoe` without running the command.

    Raises:
        Exception: What the program itself raises for a wrong command line.
    """
    if command_of(words) is None:
        raise ValueError(f"automoe has no command {' '.join(words[:2])!r}")
    app.parse_args(list(words), exit_on_error=False, print_error=False)
