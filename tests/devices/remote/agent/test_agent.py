import ast
import sys
from pathlib import Path

import pytest

import devices.remote.agent

FILES = sorted(Path(devices.remote.agent.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_python_3_8_and_needs_nothing_but_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = [
        "devices.remote.agent" if name.startswith("devices.remote.agent") else name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    own = {"devices.remote.agent"} if path.name != "relay.py" else set()  # it arrives alone
    assert set(imported) <= sys.stdlib_module_names | own
