from pathlib import Path

import pytest
from support.sent_files import check_sent_file, sent_files


@pytest.mark.parametrize("path", sent_files("devices/remote/agent"), ids=lambda path: path.name)
def test_it_is_python_3_8_and_needs_nothing_but_what_is_sent_with_it(path: Path) -> None:
    arrives_alone = path.name == "relay.py"
    check_sent_file(path, *(() if arrives_alone else ("devices.remote.agent", "devices.sensors")))
