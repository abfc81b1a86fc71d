"""This module packs a part of AutoMoE as a zip that Python runs where AutoMoE is not installed."""

import io
import marshal
import zipfile
from collections.abc import Sequence
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path, PurePosixPath

_ROOT = Path(__file__).parents[1]
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a constant, so that the same files give the same bytes


def zipped_program(packages: Sequence[str], main: str, *, is_compiled: bool = False) -> bytes:
    """Return the bytes of a zip that holds some packages and calls a function of theirs.

    Args:
        packages: The folders whose modules the zip holds, such as "devices/sensors". The packages
            above them are empty in the zip, because AutoMoE's own import what a board does not
            have.
        main: The module whose function `main` is called, such as "devices.remote.agent.keeper".
        is_compiled: Whether the zip holds the bytecode of each module as well. With it, a Python of
            this version starts the program faster. Other versions ignore it.
    """
    above = {parent for package in packages for parent in PurePosixPath(package).parents}
    files = {f"{parent}/__init__.py": b"" for parent in above if parent.name}
    files["__main__.py"] = f"from {main} import main\n\nmain()\n".encode()
    for package in packages:
        modules = (_ROOT / package).glob("*.py")
        files |= {f"{package}/{module.name}": module.read_bytes() for module in modules}
    if is_compiled:
        files |= {f"{name}c": _bytecode(name, source) for name, source in files.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _bytecode(name: str, source: bytes) -> bytes:
    """Return the .pyc file of a module (PEP 552), which Python does not compare with its source."""
    flags = (1).to_bytes(4, "little")
    code = compile(source, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + flags + source_hash(source) + marshal.dumps(code)
