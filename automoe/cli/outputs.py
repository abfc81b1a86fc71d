"""A command checks its outputs before it works, rather than after."""

from pathlib import Path


def require_writable(path: Path, *inputs: Path) -> None:
    """Make the folder of a file that is to be written, and check that the file can be.

    What is there stays as it is.

    Args:
        path: The file.
        inputs: Files and folders that the command reads, which it must not write over.

    Raises:
        OSError: It cannot be written, or is a folder.
        ValueError: It is a device or a pipe, which would be replaced by a file; or an input.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"'{path}' must be a file. Got a device or a pipe; choose another output.")
    for read in inputs:
        if path.resolve().is_relative_to(read.resolve()):
            raise ValueError(f"'{path}' must not be or be in '{read}', which is read. Move it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    is_there = path.exists()
    path.open("ab").close()
    if not is_there:
        path.unlink()
