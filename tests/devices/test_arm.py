import pytest
from support.boards import ARM_SERVER, PC, RASPBERRY_PI_4

from devices.arm import ArmDevice
from devices.testing import DeviceContract

RUNTIME = {"onnxruntime": "1.32.0"}


class TestArmDevice(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return ArmDevice(ARM_SERVER.host(tmp_path, packages=RUNTIME))


def test_it_is_described_by_its_cores(tmp_path):
    info = ArmDevice(ARM_SERVER.host(tmp_path, packages=RUNTIME)).info()
    assert info.model == "Neoverse-N1"
    assert (info.machine, info.cores, info.memory_mb) == ("aarch64", 8, 32768)
    assert info.power_mode == "performance"
    assert dict(info.details)["cores"] == "8 x Neoverse-N1, up to 3000 MHz"


def test_a_board_with_a_plugin_of_its_own_is_not_refused(tmp_path):
    assert ArmDevice(RASPBERRY_PI_4.host(tmp_path, packages=RUNTIME)).unavailable_reason() is None


def test_a_pc_is_none(tmp_path):
    reason = ArmDevice(PC.host(tmp_path, packages=RUNTIME)).unavailable_reason()
    assert reason == (
        "this machine is not an aarch64 machine (x86_64); "
        "reach one with --device arm --host user@address"
    )
