from pathlib import Path

import pytest
from support.sent_files import check_sent_file, sent_files

from devices.sensors.machine import number


@pytest.mark.parametrize("path", sent_files("devices/sensors"), ids=lambda path: path.name)
def test_it_is_python_3_8_and_needs_nothing_but_itself(path: Path) -> None:
    check_sent_file(path, "devices.sensors")


@pytest.mark.parametrize(
    ("text", "value"), [("48000", 48000.0), ("-5", -5.0), ("<unknown>", None), ("", None)]
)
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value
    assert number(None) is None
