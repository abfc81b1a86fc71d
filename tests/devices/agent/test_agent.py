import ast
import sys
from pathlib import Path

import pytest

import devices.agent

FILES = sorted(Path(devices.agent.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_python_3_8_and_needs_nothing_but_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = [
        name.partition(".")[0] if not name.startswith("devices.agent") else "devices.agent"
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    own = {"devices.agent"} if path.name != "relay.py" else set()  # it arrives alone
    assert set(imported) <= sys.stdlib_module_names | own
