"""The guide's example is a plugin that works."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from devices.registry import GROUP

GUIDE = Path(__file__).parents[2] / "docs/guides/new-device.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), flags=re.M | re.S)


def test_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    plugin, test = blocks("python")
    (tmp_path / "acme.py").write_text(plugin)
    (tmp_path / "test_acme.py").write_text(test)
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert "11 passed" in finished.stdout  # nine of the contract, two of its own


def test_it_registers_as_built_in_devices_do() -> None:
    (text,) = blocks("toml")
    assert tomllib.loads(text)["project"]["entry-points"] == {GROUP: {"acme": "acme:AcmeDevice"}}
