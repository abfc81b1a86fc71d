from pathlib import Path

from support.recorded import recorded

from devices.sensors.temperature import temperature_c, zones_c

ZONES = "sys/class/thermal/thermal_zone"


def test_the_temperature_is_the_hottest_in_degrees(tmp_path: Path) -> None:
    zones = {"0": "45123\n", "1": "61500\n", "2": "-256000\n", "3": "no sensor\n"}
    host = recorded(tmp_path, {f"{ZONES}{n}/temp": text for n, text in zones.items()})
    assert list(zones_c(host).values()) == [45.123, 61.5]  # the third is switched off
    assert temperature_c(host) == 61.5


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    assert temperature_c(recorded(tmp_path, {})) is None
