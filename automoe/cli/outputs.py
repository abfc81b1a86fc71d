"""Check the inputs and outputs of a command before it works, rather than after."""

from pathlib import Path

NO_SUPERNET = "'{path}' holds no model. 'automoe train' makes a supernet."
_MISSING = "'{path}' does not exist. Check the path."


def require_file(path: Path | None, message: str = _MISSING) -> None:
    """Check that an input is a file, before libraries are imported that take seconds.

    Args:
        path: The file; None stands for an option that was not given.
        message: The message for the user when nothing is there, with ``{path}`` in it.

    Raises:
        ValueError: There is no file at the path.
    """
    _require_there(path, message)
    if path is not None and path.is_dir():
        raise ValueError(f"'{path}' must be a file. Got a folder; give the file in it.")


def require_folder(path: Path | None, message: str = _MISSING, *, holding: str = "") -> None:
    """Check that an input is a folder.

    Args:
        path: As for `require_file`.
        message: As for `require_file`.
        holding: The file by which its kind is known; ``message`` says that it is missing, too.

    Raises:
        ValueError: There is no folder at the path, or not such a folder.
    """
    _require_there(path, message)
    if path is not None and not path.is_dir():
        raise ValueError(f"'{path}' must be a folder. Got a file; give the folder that is meant.")
    if path is not None and holding:
        _require_there(path / holding, message.replace("{path}", str(path)))


def _require_there(path: Path | None, message: str) -> None:
    if path is not None and not path.exists():
        raise ValueError(message.replace("{path}", str(path)))


def require_output(path: Path, *inputs: Path) -> None:
    """Check that an output file can be written into a folder that is there, see `require_writable`.

    Raises:
        OSError: As `require_writable`.
        ValueError: As `require_writable`, or there is no such folder, as when it is mistyped.
    """
    if not path.parent.exists():
        raise ValueError(
            f"The folder '{path.parent}' does not exist. Make it, or correct '{path}'."
        )
    require_writable(path, *inputs)


def require_writable(path: Path, *inputs: Path) -> None:
    """Make the folder of an output file, and check that the file can be written.

    A file that exists is not changed.

    Args:
        path: The output file.
        inputs: The files and folders that the command reads, which it must not overwrite.

    Raises:
        OSError: The path cannot be written, or is a folder.
        ValueError: The path is an input, or a device or a pipe, which a file would replace.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"'{path}' must be a file. Got a device or a pipe; choose another output.")
    for read in inputs:
        if path.resolve() == read.resolve():
            raise ValueError(f"'{path}' is read and must not be replaced. Choose another output.")
        if path.resolve().is_relative_to(read.resolve()):
            raise ValueError(f"'{path}' must not be in '{read}', which is read. Move it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    is_there = path.exists()
    path.open("ab").close()
    if not is_there:
        path.unlink()
