"""The contract every device keeps, as a test class: subclass it and give it your device.

class TestMyDevice(DeviceContract):
    @pytest.fixture
    def device(self):
        return MyDevice()
"""

import re
from dataclasses import fields
from pathlib import Path

from devices.spec import Device

_WORKER = Path("/somewhere/worker.py")


class DeviceContract:
    """What the profiler relies on. A subclass provides the pytest fixture `device`."""

    def test_is_a_device_with_a_plain_name(self, device: Device) -> None:
        """The name is typed on command lines and written into logs."""
        assert isinstance(device, Device)
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", device.name)

    def test_says_whether_it_can_be_used(self, device: Device) -> None:
        """An unavailable device says why; an empty reason would help nobody."""
        reason = device.unavailable_reason()
        assert reason is None or reason.strip()

    def test_info_is_complete(self, device: Device) -> None:
        """No field is empty, and what is a quantity is positive."""
        info = device.info()
        assert info.name == device.name
        assert all(getattr(info, field.name) not in ("", None) for field in fields(info))
        assert info.cores >= 1
        assert info.memory_mb >= 1

    def test_fingerprint_is_stable(self, device: Device) -> None:
        """Reading the same machine twice gives the same fingerprint."""
        assert device.info().fingerprint == device.info().fingerprint
        assert re.fullmatch(r"[0-9a-f]{12}", device.info().fingerprint)

    def test_worker_command_is_an_argv(self, device: Device) -> None:
        """A list of plain strings: nothing goes through a shell."""
        command = device.worker_command(_WORKER)
        assert isinstance(command, list)
        assert command
        assert all(isinstance(argument, str) and argument for argument in command)

    def test_worker_never_sends_telemetry(self, device: Device) -> None:
        """ONNX Runtime uploads usage data unless it is told not to before its import."""
        assert device.worker_environment()["ORT_DISABLE_TELEMETRY"] == "1"

    def test_doctor_gives_a_remedy_for_everything_it_minds(self, device: Device) -> None:
        """A complaint without a remedy is only noise."""
        findings = device.doctor()
        assert len({finding.check for finding in findings}) == len(findings)
        for finding in findings:
            assert finding.severity in ("ok", "warning", "problem")
            assert finding.message
            assert finding.severity == "ok" or finding.remedy
