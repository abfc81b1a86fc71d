"""Say what a shell may complete the word under the cursor to: devices, spaces and columns."""

import csv
from glob import escape
from pathlib import Path

from cyclopts import Parameter
from cyclopts.completion import CompletionContext

from automoe.architecture.space_files import PRESETS


def devices(context: CompletionContext) -> list[str]:
    """Return the names of the installed devices."""
    from devices.registry import device_names

    return list(device_names())


def spaces(context: CompletionContext) -> list[str]:
    """Return the presets, and the YAML files that begin like the word."""
    begun = Path().glob(f"{escape(context.incomplete)}*")
    return [*PRESETS, *(str(path) for path in begun if path.suffix in {".yaml", ".yml"})]


def columns(context: CompletionContext) -> list[str]:
    """Return the columns of the log that the command line names; none when it is no CSV."""
    log = context["LOG"].raw
    try:
        with Path(log or "").open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


DEVICE = Parameter(completer=devices, metavar="DEVICE")
SPACE = Parameter(completer=spaces, metavar="SPACE")
COLUMN = Parameter(completer=columns, metavar="COLUMN...")
