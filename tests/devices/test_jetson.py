import pytest
from support.boards import JETSON_NANO, ORIN_NANO, PC

from devices.jetson import JetsonDevice
from devices.testing import DeviceContract

RUNTIME = {"onnxruntime-gpu": "1.23.0"}


class TestOrinNano(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return JetsonDevice(ORIN_NANO.host(tmp_path, packages=RUNTIME))


class TestJetsonNano(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        return JetsonDevice(JETSON_NANO.host(tmp_path, packages=RUNTIME))


def findings(host):
    return {finding.check: finding for finding in JetsonDevice(host).doctor()}


def test_its_identity(tmp_path):
    device = JetsonDevice(ORIN_NANO.host(tmp_path, packages=RUNTIME))
    assert device.unavailable_reason() is None
    info = device.info()
    assert (info.kind, info.model) == ("gpu", "NVIDIA Orin Nano Developer Kit")
    assert (info.cores, info.memory_mb) == (6, 7620)
    assert info.traits == (
        ("soc", "tegra234"),
        ("compute capability", "8.7"),
        ("l4t", "36.4.3"),
        ("jetpack", "6.2"),
        ("cuda", "12.6.11"),
    )
    assert dict(info.details)["onnxruntime"] == "1.23.0"
    assert dict(info.details)["tensorrt"] == "10.3.0.30-1+cuda12.5"


def test_the_power_mode_says_whether_clocks_are_pinned_in_it(tmp_path):
    modes = [
        JetsonDevice(board.host(tmp_path / name)).info().power_mode
        for name, board in (("orin", ORIN_NANO), ("nano", JETSON_NANO))
    ]
    assert modes == ["15W, schedutil", "5W, clocks pinned"]


def test_another_mode_is_the_same_machine_under_another_condition(tmp_path):
    slow = JetsonDevice(ORIN_NANO.host(tmp_path)).info()
    fast = {("nvpmodel", "-q"): "NV Power Mode: MAXN_SUPER\n2"}
    changed = JetsonDevice(ORIN_NANO.host(tmp_path, outputs=fast)).info()
    assert changed.power_mode == "MAXN_SUPER, schedutil"
    assert changed.fingerprint == slow.fingerprint


def test_the_doctor_looks_at_mode_clocks_and_meter(tmp_path):
    orin = findings(ORIN_NANO.host(tmp_path / "a", packages=RUNTIME))
    assert orin["power-mode"].message.startswith("15W;")
    assert orin["clocks"].severity == "warning"
    assert "sudo jetson_clocks --restore" in orin["clocks"].remedy
    assert orin["meter"].message == "energy is read from INA3221 VDD_IN"
    nano = findings(JETSON_NANO.host(tmp_path / "b", packages=RUNTIME))
    assert nano["clocks"].severity == "ok"
    assert nano["meter"].message == "energy is read from INA3221 POM_5V_IN"


def test_a_jetson_that_does_not_say_is_not_at_fault(tmp_path):
    files = {"sys/firmware/devicetree/base/compatible": "nvidia,tegra234\0"}
    bare = findings(PC.host(tmp_path, files=files, packages=RUNTIME))
    assert [bare[check].severity for check in ("power-mode", "clocks", "meter")] == ["ok"] * 3


def test_the_plain_wheel_has_no_cuda(tmp_path):
    host = ORIN_NANO.host(tmp_path, packages={"onnxruntime": "1.23.0"})
    assert "onnxruntime-gpu is not installed" in JetsonDevice(host).unavailable_reason()
    assert findings(host)["runtime"].severity == "problem"


def test_what_is_no_jetson_is_named(tmp_path):
    assert JetsonDevice(PC.host(tmp_path)).unavailable_reason() == (
        "this machine is not an NVIDIA Jetson (x86_64, Some x86 CPU); "
        "reach one with --device jetson --host user@address"
    )


def test_its_worker_may_use_the_gpu_only():
    assert JetsonDevice().worker_environment()["AUTOMOE_PROVIDER"] == "CUDAExecutionProvider"
