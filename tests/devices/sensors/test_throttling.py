from pathlib import Path

from support.recorded import recorded

from devices.sensors.throttling import throttle_counts


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    assert throttle_counts(recorded(tmp_path, {})) == []
