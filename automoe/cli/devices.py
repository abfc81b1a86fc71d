"""``automoe devices`` and ``automoe doctor``."""

from dataclasses import asdict
from typing import Annotated

import typer

from automoe.cli.console import print_json, print_table, say
from automoe.cli.exits import ExitCode
from devices import Device, DeviceInfo, DeviceUnavailableError, describe_devices, get_device

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("devices")(list_devices)
    app.command("doctor")(doctor)


def usable_device(name: str) -> Device:
    """The device called `name`; standard error says so when it is simulated.

    Raises:
        UnknownDeviceError: No plugin has that name.
        DeviceUnavailableError: It cannot be used here and now.
    """
    plugin = get_device(name)
    if (reason := plugin.unavailable_reason()) is not None:
        raise DeviceUnavailableError(f"Device {name!r} is unavailable: {reason}.")
    if plugin.info().is_simulated:
        say(f"{name.upper()}: times are computed and say nothing about any real device.")
    return plugin


def list_devices(as_json: AsJson = False) -> None:
    """The device plugins, what each finds here, and why one is unavailable."""
    found = describe_devices()
    if as_json:
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
                for status in found
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
            for status in found
        ],
    )


def doctor(
    device: Annotated[str, typer.Option("--device", help="The device to look at.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """What would disturb a measurement there, and the remedy; exit 4 when something must not be."""
    plugin = usable_device(device)
    findings = plugin.doctor()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            ("check", "severity", "finding", "remedy"),
            [(f.check, f.severity, f.message, f.remedy) for f in findings],
        )
    if any(finding.severity == "problem" for finding in findings):
        raise typer.Exit(ExitCode.QUALITY)


def _summary(info: DeviceInfo) -> str:
    traits = "".join(f", {name} {value}" for name, value in info.traits)
    return f"{info.model}, {info.cores} cores, {info.memory_mb} MB{traits}"
