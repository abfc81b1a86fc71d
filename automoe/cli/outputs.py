"""Where a command writes, checked before its work rather than after it."""

from pathlib import Path


def require_writable(path: Path) -> None:
    """Make the folder of a file that is to be written, and check that the file can be.

    What is there stays as it is.

    Raises:
        OSError: It cannot be written, or is a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_there = path.exists()
    path.open("ab").close()
    if not is_there:
        path.unlink()
