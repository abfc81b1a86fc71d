from pathlib import Path

import pytest

from automoe.cli.outputs import require_writable


def test_a_file_that_is_there_stays_and_one_that_is_not_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("mine")
    require_writable(tmp_path / "old")
    require_writable(tmp_path / "sub" / "new")
    assert (tmp_path / "old").read_text() == "mine"
    assert list((tmp_path / "sub").iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        require_writable(tmp_path)
