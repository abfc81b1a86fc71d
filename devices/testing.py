"""This module has the tests that every device must pass, and a recorded machine to test on.

class TestMyDevice(DeviceContract):
    @pytest.fixture
    def device(self):
        return MyDevice(RecordedHost(Path("tests/my_board")))
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from devices.host import Kernel
from devices.sensors.machine import read_file
from devices.spec import LocalDevice

_WORKER = Path("/somewhere/worker.zip")


@dataclass(frozen=True, slots=True)
class RecordedHost:
    """A recorded machine: a tree of its files, and what its commands print.

    Attributes:
        root: The folder that replaces "/".
        machine: The instruction set.
        cpus: The processors that may be used.
        outputs: The output of each command, by its argv. Other commands are not installed.
        packages: The Python distributions there, with their versions.
        release: The kernel's release.
        system: The operating system.
        label: The machine's name in messages.
        is_local: Whether it replaces the machine that runs this program.
    """

    root: Path
    machine: str = "x86_64"
    cpus: tuple[int, ...] = (0,)
    outputs: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    release: str = "6.1"
    system: str = "Linux"
    label: str = "this machine"
    is_local: bool = True

    def kernel(self) -> Kernel:
        """See `Host`."""
        return Kernel(self.system, self.release, self.machine)

    def usable_cpus(self) -> tuple[int, ...]:
        """See `Host`."""
        return self.cpus

    def read_text(self, path: str) -> str | None:
        """See `Host`."""
        return read_file(str(self.root / path.lstrip("/")))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """See `Host`."""
        paths = self.root.glob(pattern.lstrip("/"))
        return tuple(sorted(f"/{path.relative_to(self.root)}" for path in paths))

    def run(self, argv: Sequence[str]) -> str | None:
        """See `Host`."""
        return self.outputs.get(tuple(argv))

    def package_version(self, name: str) -> str | None:
        """See `Host`."""
        return self.packages.get(name)


class DeviceContract:
    """The tests that every device must pass. A subclass provides the pytest fixture `device`."""

    def test_is_a_device_with_a_plain_name(self, device: LocalDevice) -> None:
        """The name can be typed on command lines and written into logs."""
        assert isinstance(device, LocalDevice)
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", device.name)

    def test_says_whether_it_can_be_used(self, device: LocalDevice) -> None:
        """An unavailable device says why: an empty reason would help nobody."""
        reason = device.unavailable_reason()
        assert reason is None or reason.strip()

    def test_info_is_complete(self, device: LocalDevice) -> None:
        """No field is empty, and numbers of cores and memory are positive."""
        info = device.info()
        assert info.name == device.name
        assert all(getattr(info, field.name) not in ("", None) for field in fields(info))
        assert info.cores >= 1
        assert info.memory_mb >= 1

    def test_fingerprint_is_stable(self, device: LocalDevice) -> None:
        """Reading the same machine twice gives the same fingerprint."""
        assert device.info().fingerprint == device.info().fingerprint
        assert re.fullmatch(r"[0-9a-f]{12}", device.info().fingerprint)

    def test_worker_command_is_an_argv(self, device: LocalDevice) -> None:
        """The command is a list of plain strings, because nothing goes through a shell."""
        command = device.worker_command(_WORKER)
        assert isinstance(command, list)
        assert command
        assert all(isinstance(argument, str) and argument for argument in command)

    def test_worker_never_sends_telemetry(self, device: LocalDevice) -> None:
        """ONNX Runtime sends usage data unless telemetry is switched off before its import."""
        assert device.worker_environment()["ORT_DISABLE_TELEMETRY"] == "1"

    def test_says_whether_it_ran_on_hardware(self, device: LocalDevice) -> None:
        """Every plugin says whether somebody has tried it on a real machine."""
        assert device.run_on_hardware in ("yes", "never", "simulated")

    def test_sensors_are_numbers_with_units(self, device: LocalDevice) -> None:
        """A name ends in its unit. A machine without sensors has no readings."""
        for name, value in device.sensors().items():
            assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]*_(c|mhz|mw)", name), name
            assert isinstance(value, int | float)

    def test_doctor_gives_a_remedy_for_everything_it_minds(self, device: LocalDevice) -> None:
        """Every warning and every problem has a remedy."""
        findings = device.doctor()
        assert len({finding.check for finding in findings}) == len(findings)
        for finding in findings:
            assert finding.severity in ("ok", "warning", "problem")
            assert finding.message
            assert finding.severity == "ok" or finding.remedy
