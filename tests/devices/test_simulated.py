from pathlib import Path

import pytest

from devices.simulated import SimulatedDevice
from devices.testing import DeviceContract, RecordedHost


class TestSimulatedDevice(DeviceContract):
    @pytest.fixture
    def device(self):
        return SimulatedDevice(settings="noise=0.1")


def test_every_setting_is_part_of_its_identity(monkeypatch):
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.02")
    info = SimulatedDevice().info()
    assert info.model == (
        "SIMULATED roofline (gflops=20,gbps=10,overhead_us=2,noise=0.02,drift=0,seed=0)"
    )
    assert info.is_simulated
    assert info.fingerprint != SimulatedDevice(settings="noise=0.03").info().fingerprint


def test_wrong_settings_make_it_unavailable(monkeypatch):
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=much")
    assert SimulatedDevice().unavailable_reason() == (
        "'noise' must be a number. Got 'much'. Correct AUTOMOE_SIMULATED"
    )


def test_it_is_on_no_host(tmp_path):
    host = RecordedHost(tmp_path, label="me@box", is_local=False)
    assert "leave out --host" in SimulatedDevice(host).unavailable_reason()


def test_each_worker_is_told_how_many_went_before():
    device = SimulatedDevice(settings="")
    numbers = [device.worker_command(Path("/x/worker.zip"))[-2] for _ in range(3)]
    assert numbers == ["1", "2", "3"]
