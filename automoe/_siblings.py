"""This module raises an error that names a user's file which hides a package of automoe."""

from importlib.util import find_spec
from pathlib import Path

_SIBLINGS = ("predictors", "profilers", "devices")


def check_siblings() -> None:
    """Check that the packages beside ``automoe`` are those that were installed with it.

    Raises:
        ImportError: A package is missing, or another file hides it. The message names the file.
    """
    home = Path(__file__).resolve().parents[1]
    for name in _SIBLINGS:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"The package '{name}' of automoe is missing. Install automoe again.")
        path = Path(spec.origin).resolve()
        if path.parent != home / name:
            raise ImportError(
                f"'{path}' hides the package '{name}' of automoe. Rename that file, or run from "
                "another folder."
            )
