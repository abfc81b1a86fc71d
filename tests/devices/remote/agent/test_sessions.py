import fcntl
import os
import socket
from pathlib import Path

import pytest

from devices.remote.agent.sessions import clear_abandoned


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    for name in ("mine", "other"):
        (tmp_path / name / "work").mkdir(parents=True)
    return tmp_path / "mine"


def test_a_folder_that_nobody_keeps_is_removed(mine: Path) -> None:
    assert clear_abandoned(str(mine))
    assert [path.name for path in mine.parent.iterdir()] == ["mine"]


def test_a_folder_with_a_lock_stays(mine: Path) -> None:
    mark = os.open(mine.parent / "other", os.O_RDONLY)
    fcntl.flock(mark, fcntl.LOCK_SH)
    assert not clear_abandoned(str(mine))
    assert (mine.parent / "other" / "work").is_dir()
    os.close(mark)
    assert clear_abandoned(str(mine))


def test_the_folder_of_an_older_version_stays_while_its_keeper_listens(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent / "other")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        listener.listen()
        assert not clear_abandoned(str(mine))
    assert (mine.parent / "other" / "work").is_dir()
