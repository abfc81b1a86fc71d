"""`automoe serve` as a user starts it, and what the guide says to ask it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.documents import typed_of
from support.exported_model import folder, model, vocabulary

from automoe.cli.main import main
from automoe.deployed.translator import Translator
from automoe.serving.server import bound

__all__ = ["folder", "model", "vocabulary"]

Capture = pytest.CaptureFixture[str]
GUIDE = Path(__file__).parents[3] / "docs/guides/deploy.md"


@pytest.fixture
def server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "automoe", "serve", str(folder), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        yield process
        process.kill()


def asked_as_in_the_guide(url: str) -> list[str]:
    """What the lines with curl in the guide print, asked of another port."""
    lines = [each.text for each in typed_of(GUIDE) if each.text.startswith("curl ")]
    assert len(lines) == 4
    assert all("http://127.0.0.1:8000/" in line for line in lines)
    lines = [line.replace("http://127.0.0.1:8000", url) for line in lines]
    # The words of the little model are short.
    lines = [re.sub(r'"[A-Z][^"]*\."', '"the old tree"', line) for line in lines]
    shell = ["bash", "-euo", "pipefail", "-c"]
    return [
        subprocess.run([*shell, line], capture_output=True, text=True, check=True).stdout
        for line in lines
    ]


def test_it_serves_as_the_guide_says(server: subprocess.Popen[str], folder: Path) -> None:
    assert server.stdout is not None
    ready = server.stdout.readline()
    (url,) = re.findall(r"^Ready: (http://127\.0\.0\.1:\d+) translates with \w+, fp32\.$", ready)
    expected = Translator.open(folder).translate("the old tree")
    one, several, health, metrics = asked_as_in_the_guide(url)
    assert json.loads(one) == {
        "translation": expected.text,
        "score": pytest.approx(expected.score),
    }
    assert json.loads(several)["translation"] == [expected.text] * 2
    assert json.loads(several)["score"] == pytest.approx([expected.score] * 2)
    assert json.loads(health)["status"] == "ok"
    assert "\nautomoe_sentences_total 3.0\n" in metrics
    with httpx.Client(base_url=url) as client:
        long = client.post("/translate", json={"text": "the tree " * 40})
    assert long.status_code == 422
    assert "must have at most 39 tokens" in long.json()["error"]
    server.send_signal(signal.SIGTERM)
    output, errors = server.communicate(timeout=60)
    assert (server.returncode, output, errors) == (0, "", "")


def test_an_address_in_use_ends_with_one_line(folder: Path, capsys: Capture) -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", str(folder), "--port", port]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"Error: Cannot listen at '--host 127.0.0.1 --port {port}': Address")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "65536"], "Invalid value for '--port': Input should be less than or equal"),
        (["--queue", "0"], "Invalid value for '--queue': "),
        (["--max-wait-ms", "-1"], "Invalid value for '--max-wait-ms': "),
        (["--grace-s", "inf"], "Invalid value for '--grace-s': "),
    ],
)
def test_a_wrong_value_is_refused(
    folder: Path, capsys: Capture, flags: list[str], message: str
) -> None:
    assert main(["serve", str(folder), *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_missing_extra_is_told_in_one_line(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "automoe.serving.server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "Error: 'serve' needs uvicorn, which is not installed: "
        "pip install fastapi uvicorn prometheus_client."
    )


def test_a_server_does_not_load_torch() -> None:
    modules = "'torch', 'sacrebleu', 'scipy', 'pandas', 'onnx'"
    code = (
        "import sys, automoe.cli.serving, automoe.serving.server;"
        f"print([name for name in [{modules}] if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
