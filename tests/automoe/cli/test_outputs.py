import os
from pathlib import Path

import pytest

from automoe.cli.outputs import require_file, require_folder, require_output, require_writable


def test_a_file_that_is_there_stays_and_one_that_is_not_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("mine")
    require_writable(tmp_path / "old")
    require_writable(tmp_path / "sub" / "new")
    assert (tmp_path / "old").read_text() == "mine"
    assert list((tmp_path / "sub").iterdir()) == []


def test_a_mistyped_folder_of_a_file_is_refused_and_not_made(tmp_path: Path) -> None:
    require_output(tmp_path / "new.csv")
    message = f"The folder '{tmp_path}/rusn' does not exist. Make it, or correct '"
    with pytest.raises(ValueError, match=message):
        require_output(tmp_path / "rusn" / "new.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        require_writable(tmp_path)


@pytest.mark.parametrize("device", ["/dev/null", "pipe"])
def test_a_device_or_a_pipe_is_not_replaced_by_a_file(device: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=f"{device}' must be a file. Got a device or a pipe"):
        require_writable(tmp_path / device)


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="read' is read and must not be replaced"):
        require_writable(tmp_path / "read", tmp_path / "read", tmp_path / "folder")
    with pytest.raises(ValueError, match="must not be in '.*folder', which is read. Move it"):
        require_writable(tmp_path / "folder" / "any", tmp_path / "read", tmp_path / "folder")
    require_writable(tmp_path / "other", tmp_path / "read", tmp_path / "folder")


def test_an_input_is_of_the_kind_that_is_read(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "{folder}"
    file.write_text("x")
    folder.mkdir()
    require_file(None)
    require_file(file)
    require_folder(folder)
    with pytest.raises(ValueError, match="folder}' must be a file. Got a folder"):
        require_file(folder)
    with pytest.raises(ValueError, match="file' must be a folder. Got a file"):
        require_folder(file)
    with pytest.raises(ValueError, match="none' does not exist. Check the path"):
        require_folder(tmp_path / "none")
    with pytest.raises(ValueError, match="^'.*/{folder}' holds no model$"):
        require_folder(folder, "'{path}' holds no model", holding="model.json")
    (folder / "model.json").write_text("{}")
    require_folder(folder, "'{path}' holds no model", holding="model.json")
