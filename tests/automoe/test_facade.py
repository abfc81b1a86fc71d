import re
import subprocess
import sys
from pathlib import Path

import pytest

import automoe


def test_every_public_name_is_there() -> None:
    for name in automoe.__all__:
        assert getattr(automoe, name) is not None
    assert sorted(automoe.__all__) == automoe.__all__


def test_what_the_guide_of_python_names_is_there() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/python.md").read_text()
    used = set(re.findall(r"automoe\.(\w+)", re.sub(r"automoe\.__all__", "", guide)))
    cells = re.findall(r"^\|[^|]*\|(.*)\|$", guide, flags=re.M)
    used |= {name for cell in cells for name in re.findall(r"`(\w+)(?:\.\w+)*`", cell)}
    assert len(used) > 20
    assert used <= set(automoe.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'supernets'"):
        automoe.supernets  # noqa: B018


def test_importing_loads_neither_torch_nor_onnx() -> None:
    code = "import automoe, sys; print({'torch', 'onnx', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_file_that_hides_a_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "devices.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import automoe"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"'{tmp_path / 'devices.py'}' hides the package 'devices' of automoe" in done.stderr
