"""Name options as a user types them: in messages, and instead of one that does not exist."""

import difflib
import re
from collections.abc import Collection, Sequence

_SETTING = re.compile(r"'([a-z]+(?:_[a-z]+)+)'(?!:)")  # a colon follows the key of a file
_OF_FILE = re.compile(r".+\.\w+: ")
_CLOSE = 0.7
# What other programs call an option, and the first of these that the command has is meant.
_MEANT = {
    "batch-size": ("--batch", "--max-tokens"),
    "count": ("-n",),
    "epochs": ("--updates",),
    "iterations": ("--updates", "--generations"),
    "lr": ("--learning-rate",),
    "num": ("-n",),
    "number": ("-n",),
    "output": ("--out", "--log"),
    "samples": ("-n",),
    "steps": ("--updates",),
    "workers": ("--jobs",),
}


def similar_option(word: str, names: Collection[str]) -> str:
    """Return the question whether another option was meant; empty when none is similar.

    Args:
        word: The option that does not exist.
        names: The options of the command.
    """
    bare = {name.lstrip("-"): name for name in names if name.startswith("--")}
    meant = [name for name in _MEANT.get(word.lstrip("-"), ()) if name in names]
    close = difflib.get_close_matches(word.lstrip("-"), bare, n=1, cutoff=_CLOSE)
    found = [*meant, *(bare[name] for name in close)]
    return f" Did you mean {found[0]}?" if found else ""


def with_options(message: str, command: Sequence[str]) -> str:
    """Return a message that names settings by the options of a command, where it has them.

    Args:
        message: A message of the library, such as ``'max_params' must be at least 5``.
        command: The words of the command line, of which the first ones name the command.
    """
    if not _SETTING.search(message) or _OF_FILE.match(message):
        return message
    from automoe.cli.main import app  # it imports this module

    _, apps, _ = app.parse_commands(list(command))
    names = {name for each in apps[-1].assemble_argument_collection() for name in each.names}

    def named(found: re.Match[str]) -> str:
        flag = f"--{found[1].replace('_', '-')}"
        return f"'{flag}'" if flag in names else found[0]

    return _SETTING.sub(named, message)
