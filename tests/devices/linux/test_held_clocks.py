from pathlib import Path
from typing import Any

import pytest
from support.boards import ORIN_NANO, PC, RASPBERRY_PI_5

from devices import DeviceUnavailableError, LocalHost
from devices.cuda import CudaDevice
from devices.jetson import JetsonDevice
from devices.linux.held_clocks import governor_commands, held_clocks
from devices.raspberry_pi import RaspberryPiDevice
from devices.testing import RecordedHost

GPUS = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,driver_version,memory.total,compute_cap,power.limit,power.draw,"
    "temperature.gpu,clocks.sm,clocks.max.sm,persistence_mode,mig.mode.current",
    "--format=csv,noheader,nounits",
)
A10 = (
    "0, GPU-aaaa1111, NVIDIA A10, 550.54.15, 23028, 8.6, 150.00, 15.68, 34, 210, 1695, Disabled, -"
)


class Rooted:
    """A machine whose user may become root, or may not."""

    def __init__(self, host: RecordedHost, *, holds: bool = True, undoes: bool = True) -> None:
        self._host = host
        self._answers = {"held": holds, "undone": undoes}
        self.is_root = True
        self.asked: list[tuple[str, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def run(self, argv: Any) -> str | None:
        if argv[0] != "sudo":
            return self._host.run(argv)
        assert argv[1:4] == ("-n", "sh", "-c")
        if argv[4] == "echo root":
            return "root" if self.is_root else ""
        self.asked.append(tuple(argv))
        said = argv[4].rpartition("&& echo ")[2]
        return said if self._answers[said] else ""


def test_a_pi_gets_its_governor_back(tmp_path: Path) -> None:
    host, said = Rooted(RASPBERRY_PI_5.host(tmp_path)), list[str]()
    with held_clocks(RaspberryPiDevice(host), host, said.append):
        ((*_, script, _),) = host.asked
        assert "scaling_governor" in script
        assert 'echo performance > "$file"' in script
    assert 'echo "$0" > "$file"' in host.asked[1][4]
    assert host.asked[1][5:] == ("ondemand",)
    assert "To release them, run: sudo sh -c " in said[0]
    assert said[1] == f"The clocks of {host.label} follow the load again."


def test_an_orin_gets_what_jetson_clocks_remembered(tmp_path: Path) -> None:
    host = Rooted(ORIN_NANO.host(tmp_path))
    with held_clocks(JetsonDevice(host), host, lambda message: None):
        pass
    hold, undo = (argv[4] for argv in host.asked)
    assert hold.index("--store") < hold.index("&& jetson_clocks &&")
    assert "jetson_clocks --restore" in undo
    assert {argv[5] for argv in host.asked} == {"/run/automoe-clocks.conf"}


def test_a_gpu_is_held_at_its_highest_clock_and_that_is_another_power_mode(tmp_path: Path) -> None:
    host = Rooted(PC.host(tmp_path, outputs={GPUS: A10}))
    device = CudaDevice(host)
    before = device.info().power_mode
    with held_clocks(device, host, lambda message: None):
        assert device.info().power_mode == f"{before}, clocks held"
        (hold,) = host.asked
        assert hold[5:] == ("GPU-aaaa1111", "1695")
    assert "-rgc" in host.asked[1][4]
    assert device.info().power_mode == before


def test_clocks_that_are_held_already_stay_so(tmp_path: Path) -> None:
    assert governor_commands("performance") is None
    host = Rooted(PC.host(tmp_path))
    folder = tmp_path / "sys/devices/system/cpu"
    for cpu in (0, 1, 2, 3):
        file = folder / f"cpu{cpu}/cpufreq/scaling_governor"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("performance\n")
    with held_clocks(RaspberryPiDevice(host), host, lambda message: None):
        pass
    assert host.asked == []


def test_who_may_not_is_told_what_to_run_and_nothing_is_touched(tmp_path: Path) -> None:
    host, said = Rooted(RASPBERRY_PI_5.host(tmp_path)), list[str]()
    host.is_root = False
    with (
        pytest.raises(DeviceUnavailableError, match=r"may not run sudo .* run sudo sh -c"),
        held_clocks(RaspberryPiDevice(host), host, said.append),
    ):
        pytest.fail("nothing may be measured")
    assert host.asked == []
    assert said == []


def test_a_connection_that_is_lost_leaves_the_command_to_undo_it(tmp_path: Path) -> None:
    host, said = Rooted(RASPBERRY_PI_5.host(tmp_path)), list[str]()
    with held_clocks(RaspberryPiDevice(host), host, said.append):
        host.run = lost  # type: ignore[method-assign]
    assert "may still be held. Run: sudo sh -c " in said[1]


def lost(argv: Any) -> str | None:
    raise DeviceUnavailableError("The connection is lost.")


def test_what_was_held_in_part_is_undone(tmp_path: Path) -> None:
    host = Rooted(RASPBERRY_PI_5.host(tmp_path), holds=False)
    with (
        pytest.raises(DeviceUnavailableError, match="fails. Run it yourself to see why"),
        held_clocks(RaspberryPiDevice(host), host, lambda message: None),
    ):
        pytest.fail("nothing may be measured")
    assert ["echo performance" in argv[4] for argv in host.asked] == [True, False]


def test_clocks_that_cannot_be_undone_are_named(tmp_path: Path) -> None:
    host, said = Rooted(RASPBERRY_PI_5.host(tmp_path), undoes=False), list[str]()
    with (
        pytest.raises(KeyboardInterrupt),
        held_clocks(RaspberryPiDevice(host), host, said.append),
    ):
        raise KeyboardInterrupt
    assert "may still be held. Run: sudo sh -c " in said[1]


@pytest.mark.parametrize("governor", ["unknown", "ondemand+performance", "x; reboot"])
def test_governors_that_could_not_be_given_back_are_refused(governor: str) -> None:
    assert f"Got '{governor}'" in str(governor_commands(governor))


def test_a_plugin_without_commands_is_refused() -> None:
    with (
        pytest.raises(DeviceUnavailableError, match="its plugin has no command for it"),
        held_clocks(object(), LocalHost(), lambda message: None),
    ):
        pytest.fail("nothing may be measured")
