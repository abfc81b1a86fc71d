import pytest
from support.boards import ARM_SERVER, RASPBERRY_PI_4, RASPBERRY_PI_5

from devices.raspberry_pi import RaspberryPiDevice
from devices.testing import DeviceContract

RUNTIME = {"onnxruntime": "1.32.0"}


class TestRaspberryPi4(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return RaspberryPiDevice(RASPBERRY_PI_4.host(tmp_path, packages=RUNTIME))


class TestRaspberryPi5(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return RaspberryPiDevice(RASPBERRY_PI_5.host(tmp_path, packages=RUNTIME))


def pi(folder, board=RASPBERRY_PI_4, **changes):
    return RaspberryPiDevice(board.host(folder, packages=RUNTIME, **changes))


def test_its_identity(tmp_path):
    device = pi(tmp_path)
    assert device.unavailable_reason() is None
    info = device.info()
    assert info.model == "Raspberry Pi 4 Model B Rev 1.5"
    assert info.power_mode == "ondemand"
    assert info.traits == (("soc", "bcm2711"), ("firmware", "8ba17717fbce"))


def test_the_firmware_says_what_the_kernel_does_not(tmp_path):
    (board,) = [x for x in pi(tmp_path).doctor() if x.check == "board"]
    assert board.severity == "problem"
    assert board.message == "now: too little voltage, throttling (0x50005)"


def test_the_rails_of_a_pi_5_are_paired_by_name(tmp_path):
    # awk over the twelve pairs: sum of current times voltage = 10.8956 W.
    watts = (
        0.06245952 * 3.306322
        + 0.1610285 * 1.798289
        + 0.00780744 * 1.102929
        + 0.1756674 * 1.104394
        + 0.3279125 * 0.8025633
        + 10.87674 * 0.8974594
        + 0.0003663 * 3.304942
        + 0.00042735 * 3.302194
        + 0.00579975 * 0.7973619
        + 0.0136752 * 5.07056
    )
    sensors = pi(tmp_path, RASPBERRY_PI_5).sensors()
    assert sensors["power_pmic_mw"] == pytest.approx(watts * 1000, abs=0.1)
    assert sensors["temperature_cpu_c"] == 52.1


def test_a_pi_4_has_no_power_chip_to_ask(tmp_path):
    assert "power_pmic_mw" not in pi(tmp_path).sensors()


def test_without_vcgencmd_the_files_serve(tmp_path):
    device = pi(tmp_path, outputs={})
    assert device.info().traits == (("soc", "bcm2711"),)
    (board,) = [x for x in device.doctor() if x.check == "board"]
    assert board.message.startswith("unknown")


def test_a_32_bit_system_is_refused_because_it_has_no_runtime(tmp_path):
    reason = pi(tmp_path, machine="armv7l").unavailable_reason()
    assert "this machine runs a 32-bit system (armv7l)" in reason
    assert "install a 64-bit Raspberry Pi OS" in reason


def test_what_is_no_pi_is_named(tmp_path):
    reason = pi(tmp_path, ARM_SERVER).unavailable_reason()
    assert reason == (
        "this machine is not a Raspberry Pi (aarch64, Neoverse-N1); "
        "reach one with --device raspberry-pi --host user@address"
    )
    reason = pi(tmp_path, ARM_SERVER, label="me@box", is_local=False).unavailable_reason()
    assert reason == (
        "me@box is not a Raspberry Pi (aarch64, Neoverse-N1); "
        "see what the machine is with: automoe devices --host me@box"
    )
