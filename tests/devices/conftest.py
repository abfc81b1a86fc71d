import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.recorded import recorded
from support.ssh_in_place import SshInPlace

from devices.remote.address import RemoteAddress
from devices.remote.host import RemoteHost
from devices.testing import RecordedHost

ADDRESS = RemoteAddress("pi@board", sys.executable)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def host(ssh: SshInPlace, said: list[str]) -> Iterator[RemoteHost]:
    with RemoteHost(ADDRESS, say=said.append, patience_s=20.0) as host:
        yield host


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., RecordedHost]:
    """A function that makes a machine with some files, by their path from "/"."""
    return partial(recorded, tmp_path)
