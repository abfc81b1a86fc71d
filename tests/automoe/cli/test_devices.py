import json

import pytest
from support.scripted import CommandDevice

from automoe.cli import devices as commands
from automoe.cli.main import main
from devices import Finding

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
    monkeypatch.setattr(commands, "get_device", lambda name: Unwell(finding))
    assert main(["doctor", "--json"]) == code
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["check"], found["severity"], found["remedy"]) == ("load", severity, "stop it")
    assert main(["doctor"]) == code
    assert "stop it" in capsys.readouterr().out


def test_an_unavailable_device_is_not_examined(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "get_device", lambda name: Unwell(reason="no power"))
    assert main(["doctor", "--device", "board"]) == 7
    assert "Device 'board' is unavailable: no power." in capsys.readouterr().err


def test_the_fields_of_a_device(capsys: Capture) -> None:
    assert main(["devices", "--json"]) == 0
    (cpu,) = [d for d in json.loads(capsys.readouterr().out) if d["name"] == "cpu"]
    assert cpu.keys() == {"name", "available", "reason", "run_on_hardware", "info", "fingerprint"}
    assert cpu["available"] is (cpu["reason"] is None)
