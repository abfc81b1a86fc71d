import sys
from collections.abc import Iterator

import pytest
from support.ssh_in_place import SshInPlace

from devices.remote.address import RemoteAddress
from devices.remote.host import RemoteHost

ADDRESS = RemoteAddress("pi@board", sys.executable)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def host(ssh: SshInPlace, said: list[str]) -> Iterator[RemoteHost]:
    with RemoteHost(ADDRESS, say=said.append, patience_s=20.0) as host:
        yield host
