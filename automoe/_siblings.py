"""Turns a user's own ``devices.py`` in front of ours into an error that names the file."""

from importlib.util import find_spec
from pathlib import Path

_SIBLINGS = ("predictors", "profilers", "devices")


def check_siblings() -> None:
    """Make sure that the packages beside ``automoe`` are the ones it was installed with.

    Raises:
        ImportError: Another file hides one of them; the message names it.
    """
    home = Path(__file__).resolve().parents[1]
    for name in _SIBLINGS:
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if found is None:
            raise ImportError(f"The package '{name}' of automoe is missing. Install automoe again.")
        if found.parent != home / name:
            raise ImportError(
                f"'{found}' hides the package '{name}' of automoe. Rename that file, or run from "
                "another folder."
            )
