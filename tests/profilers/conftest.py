from pathlib import Path

import pytest
from support.scripted import ScriptedDevice


@pytest.fixture
def device(tmp_path: Path) -> ScriptedDevice:
    return ScriptedDevice(tmp_path)
