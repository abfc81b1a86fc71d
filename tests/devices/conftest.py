import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ssh_in_place import SshInPlace

from devices.remote_address import RemoteAddress
from devices.remote_host import RemoteHost

ADDRESS = RemoteAddress("pi@board", sys.executable)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshInPlace]:
    place = SshInPlace(tmp_path / "remote")
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("devices.remote_session._FIRST_PAUSE_SECONDS", 0.05)
    yield place
    if (place.folder / "connections").exists():
        place.reset()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def host(ssh: SshInPlace, said: list[str]) -> Iterator[RemoteHost]:
    with RemoteHost(ADDRESS, say=said.append, patience_s=20.0) as host:
        yield host
