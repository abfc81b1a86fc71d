import json
from pathlib import Path

import pytest
from support.scripted import CommandDevice

from automoe.cli.main import main
from devices import Finding, opening
from profilers import read_log

Capture = pytest.CaptureFixture[str]


class Unwell(CommandDevice):
    def __init__(self, *findings: Finding, reason: str | None = None) -> None:
        super().__init__("")
        self.findings = findings
        self.reason = reason

    def unavailable_reason(self) -> str | None:
        return self.reason

    def doctor(self) -> tuple[Finding, ...]:
        return self.findings


@pytest.mark.parametrize(("severity", "code"), [("ok", 0), ("warning", 0), ("problem", 4)])
def test_only_a_problem_fails_the_doctor(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, severity: str, code: int
) -> None:
    finding = Finding("load", severity, "busy", "stop it")  # type: ignore[arg-type]
    monkeypatch.setattr(opening, "get_device", lambda name: Unwell(finding))
    assert main(["doctor", "--json"]) == code
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["check"], found["severity"], found["remedy"]) == ("load", severity, "stop it")
    assert main(["doctor"]) == code
    assert "stop it" in capsys.readouterr().out


def test_an_unavailable_device_is_not_examined(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "get_device", lambda name: Unwell(reason="no power"))
    assert main(["doctor", "--device", "board"]) == 7
    assert "Device 'scripted' is unavailable: no power." in capsys.readouterr().err


def test_the_fields_of_a_device(capsys: Capture) -> None:
    assert main(["devices", "--json"]) == 0
    (cpu,) = [d for d in json.loads(capsys.readouterr().out) if d["name"] == "cpu"]
    assert cpu.keys() == {"name", "available", "reason", "run_on_hardware", "info", "fingerprint"}
    assert cpu["available"] is (cpu["reason"] is None)


def test_every_device_says_whether_it_ran_on_hardware(capsys: Capture) -> None:
    assert main(["devices"]) == 0
    printed = capsys.readouterr().out
    assert "run on hardware" in printed
    assert "never" in printed


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jetson", "this machine is not an NVIDIA Jetson ("),
        ("raspberry-pi", "this machine is not a Raspberry Pi ("),
        ("cuda", "on this machine"),
    ],
)
def test_a_machine_that_is_not_one_exits_7_in_one_line(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi, whatever this machine has
    command = ["profile", "--device", name, "--space", "tiny", "--log", str(tmp_path / "x.csv")]
    assert main(command) == 7
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: Device '{name}' is unavailable: ")
    assert says in line
    assert f"--device {name} --host user@address" in line


def test_a_session_on_the_simulated_device_is_marked_and_repeatable(
    capsys: Capture, tmp_path: Path
) -> None:
    rows = []
    for name in ("a.csv", "b.csv"):
        command = ["profile", "--device", "simulated", "--space", "tiny", "-n", "8", "--fast"]
        assert main([*command, "--log", str(tmp_path / name)]) == 0
        assert "SIMULATED: times are computed" in capsys.readouterr().err
        rows.append([{**row, "measured_at": ""} for row in read_log(tmp_path / name)])
    assert rows[0] == rows[1]
    assert len(rows[0]) == 8
    for row in rows[0]:
        assert row["device"] == "simulated"
        assert row["device_model"].startswith("SIMULATED")
        assert row["runtime"].startswith("SIMULATED")
        assert float(row["energy_mj"]) > 0
    assert main(["log", "check", str(tmp_path / "a.csv")]) == 0
    assert "8 rows are SIMULATED" in capsys.readouterr().out
