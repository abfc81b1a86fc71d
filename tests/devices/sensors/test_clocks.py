from pathlib import Path

import pytest
from support.boards import ORIN_NANO, PC
from support.recorded import recorded

from devices.sensors.clocks import clocks_mhz, gpu_clock_folder, gpu_clock_mhz


def test_clocks_are_those_of_usable_cores(tmp_path: Path) -> None:
    host = ORIN_NANO.host(tmp_path, cpus=(0, 5))
    assert clocks_mhz(host) == {0: 1420.8, 5: 1420.8}


@pytest.mark.parametrize("name", ["17000000.ga10b", "17000000.gv11b", "57000000.gpu"])
def test_the_gpus_clock_under_the_names_that_releases_gave_it(tmp_path: Path, name: str) -> None:
    files = {f"sys/class/devfreq/{name}/cur_freq": "921600000\n"}
    assert gpu_clock_mhz(PC.host(tmp_path, files=files)) == 921.6


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    host = recorded(tmp_path, {})
    assert clocks_mhz(host) == {}
    assert gpu_clock_folder(host) is None
    assert gpu_clock_mhz(host) is None
