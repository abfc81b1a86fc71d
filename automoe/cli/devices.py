"""Carry out ``automoe devices`` and ``automoe doctor``."""

from dataclasses import asdict
from typing import Annotated

from automoe.cli.completing import DEVICE
from automoe.cli.console import print_json, print_table, say
from automoe.cli.device_options import ON_DEVICE, Host, Runtime, opened_and_announced
from automoe.cli.exits import ExitCode
from automoe.cli.options import JsonOptions
from devices import DeviceInfo, DeviceStatus, describe_devices
from devices.opening import resolve_host
from devices.remote.address import RemoteAddress
from devices.remote.host import RemoteHost
from devices.runtimes import ONNXRUNTIME, RUNTIMES


class DevicesOptions(JsonOptions):
    """The host on which the command looks for devices."""

    host: Host = None


class DoctorOptions(JsonOptions):
    """The device that the command checks.

    Attributes:
        device: Device to check.
    """

    device: Annotated[str, ON_DEVICE, DEVICE] = "cpu"
    host: Host = None
    runtime: Runtime = ONNXRUNTIME


def list_devices(*, options: DevicesOptions = DevicesOptions()) -> None:
    """List the devices of this machine or of a host, and why a device is unavailable."""
    statuses = _statuses_at(resolve_host(options.host)) if options.host else describe_devices()
    if options.as_json:
        print_json(
            [
                {
                    "name": status.name,
                    "available": status.reason is None,
                    "reason": status.reason,
                    "run_on_hardware": status.run_on_hardware,
                    "info": status.info.to_dict() if status.info else None,
                    "fingerprint": status.info.fingerprint if status.info else None,
                }
                for status in statuses
            ]
        )
        return
    print_table(
        ("device", "available", "run on hardware", "what it is, or why not"),
        [
            (
                status.name,
                "no" if status.reason else "yes",
                status.run_on_hardware or "",
                _summary(status.info) if status.info else str(status.reason),
            )
            for status in statuses
        ],
    )


def doctor(*, options: DoctorOptions = DoctorOptions()) -> ExitCode:
    """List what would disturb a measurement on a device, with remedies; exit 4 for a problem."""
    session = opened_and_announced(options.device, options.host, options.runtime, is_measured=False)
    with session as opened:
        findings = opened.doctor()
    if options.as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            ("check", "severity", "finding", "remedy"),
            [(f.check, f.severity, f.message, f.remedy) for f in findings],
        )
    is_bad = any(finding.severity == "problem" for finding in findings)
    return ExitCode.QUALITY if is_bad else ExitCode.OK


def _statuses_at(address: RemoteAddress) -> list[DeviceStatus]:
    with RemoteHost(address, say=say) as there:
        return describe_devices(there)


def _summary(info: DeviceInfo) -> str:
    traits = "".join(f", {name} {value}" for name, value in info.traits)
    runtimes = "".join(f", {name} {value}" for name, value in info.details if name in RUNTIMES)
    memory = f"{info.memory_mb} MB" if info.memory_mb else "unknown memory"
    return f"{info.model}, {info.cores} cores, {memory}{traits}{runtimes}"
