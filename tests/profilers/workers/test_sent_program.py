"""The program as it is sent: it runs from one file, with nothing of ours beside it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.sent_files import check_sent_file, sent_files

from devices.runtimes import RUNTIMES
from profilers.workers.sent_program import worker_program

PROGRAM = "profilers/workers/program"
SENT = sent_files(PROGRAM, f"{PROGRAM}/tensorrt")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "worker.zip"
    path.write_bytes(worker_program("onnxruntime"))
    return path


@pytest.mark.parametrize("path", SENT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_is_python_3_8_and_needs_nothing_but_itself(path: Path) -> None:
    check_sent_file(path, "profilers.workers.program", "devices.sensors")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_else_of_ours_goes_along(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "worker.zip"
    path.write_bytes(worker_program(runtime))
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    ours = ("devices/sensors/", f"{PROGRAM}/")
    above = {name for name in files if not name.startswith(ours) and name.endswith(".py")}
    assert {f"{name}c" for name in files if name.endswith(".py")} == set(files) - {
        name for name in files if name.endswith(".py")
    }
    packages = ("devices", "profilers", "profilers/workers")
    assert above == {"__main__.py", *(f"{package}/__init__.py" for package in packages)}
    assert {files[f"{package}/__init__.py"] for package in packages} == {b""}
    has_tensorrt = any(name.startswith(f"{PROGRAM}/tensorrt/") for name in files)
    assert has_tensorrt == (runtime != "onnxruntime")


def run(program: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the program answers to these requests before its stdin ends."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, str(program)]
    finished = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_the_program_answers_line_by_line_until_its_input_ends(
    doubling: Path, program: Path
) -> None:
    load_it = {"op": "load", "id": "w", "workload": str(doubling), "threads": 1}
    loaded, outputs = run(program, load_it, {"op": "outputs", "id": "w"})
    assert loaded["load_ms"] > 0
    assert outputs["outputs"]["model"]["y"]["sum"] == 14.0


def test_the_program_ends_when_told_to_quit(program: Path) -> None:
    assert run(program, {"op": "quit"}, {"op": "hello"}) == [{}]


def test_files_beside_the_program_hide_no_standard_module(program: Path) -> None:
    # NumPy imports it, and the program itself does not.
    hiding = program.with_name("datetime.py")
    hiding.write_text("raise ImportError('this is not the standard datetime')")
    (hello,) = run(program, {"op": "hello"})
    assert hello["runtime"] == "onnxruntime"


def test_it_works_without_us(program: Path) -> None:
    # Only what a board has is on the path: ONNX Runtime and NumPy, none of our packages.
    code = (
        "import sys, runpy\n"
        "sys.path = [x for x in sys.path if x]\n"
        f"sys.path.insert(0, {str(program)!r})\n"
        f"runpy.run_path({str(program)!r}, run_name='__main__')\n"
        "ours = [sys.modules[x] for x in sys.modules if x.startswith(('devices', 'profilers'))]\n"
        "print([x for x in ours if '.zip' not in x.__file__], file=sys.stderr)\n"
    )
    lines = json.dumps({"op": "hello"}) + "\n"
    finished = subprocess.run(
        [sys.executable, "-c", code], input=lines, capture_output=True, text=True, timeout=60
    )
    assert json.loads(finished.stdout)["runtime"] == "onnxruntime", finished.stderr
    assert finished.stderr.splitlines()[-1] == "[]"


def test_what_a_library_prints_does_not_disturb_the_answers(tmp_path: Path) -> None:
    loud = tmp_path / "loud.py"
    loud.write_text(
        "import os\n"
        "from profilers.workers.program.serving import serve\n"
        "from profilers.workers.program.worker import Worker\n"
        "class Loud(Worker):\n"
        "    describe_runtime = open_workload = None\n"
        "    def hello(self, request):\n"
        "        print('in Python'); os.system('echo from a child'); return {'pid': 1}\n"
        "serve(Loud)\n"
    )
    assert run(loud, {"op": "hello"}) == [{"pid": 1}]


def test_telemetry_is_off_before_the_runtime_can_be_imported(program: Path) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(program)!r})\n"
        "import profilers.workers.program.onnx_runtime\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    finished = subprocess.run(
        command, capture_output=True, text=True, env={"ORT_DISABLE_TELEMETRY": "0"}
    )
    assert finished.stdout.split() == ["1", "False"]
