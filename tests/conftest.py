from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ssh_in_place import SshInPlace


@pytest.fixture(autouse=True, scope="session")
def _a_lock_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Somebody may be measuring here, and most tests measure only to have something to look at.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path_factory.mktemp("lock")))
        yield


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshInPlace]:
    """An `ssh` in PATH that runs what it is told in this machine's own processes."""
    place = SshInPlace(tmp_path / "remote")
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("devices.remote.session._FIRST_PAUSE_SECONDS", 0.05)
    yield place
    if (place.folder / "connections").exists():
        place.reset()
