"""What holds for every file that is sent to a device."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def sent_files(*packages: str) -> list[Path]:
    """The modules of packages, such as "devices/sensors"."""
    return [path for package in packages for path in sorted((ROOT / package).glob("*.py"))]


def check_sent_file(path: Path, *own: str) -> None:
    """Assert that a module runs on Python 3.8, with the standard library and what is sent with it.

    What is imported within a function may be missing on a device: its absence is an answer there.

    Args:
        path: The module.
        own: The packages that are sent with it, such as "devices.sensors".
    """
    body = ast.parse(path.read_text(), feature_version=(3, 8)).body
    imported = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in body if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.startswith(own)}
    assert {name.partition(".")[0] for name in imported - ours} <= sys.stdlib_module_names
    # Annotations are written as in newer versions, so nothing may evaluate them.
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body) or (
        "__future__" in imported
    )
