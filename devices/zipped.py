"""A part of our program as a zip that Python runs where the rest of us is not installed."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

_ROOT = Path(__file__).parents[1]
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes


def zipped_program(packages: Sequence[str], main: str) -> bytes:
    """The bytes of a zip that holds some of our packages and calls a function of theirs.

    Args:
        packages: The folders whose modules the zip holds, such as "devices/sensors". The packages
            above them are empty there, because ours import what a board does not have.
        main: The module whose function `main` is called, such as "devices.remote.agent.keeper".
    """
    above = {parent for package in packages for parent in PurePosixPath(package).parents}
    files = {f"{parent}/__init__.py": "" for parent in above if parent.name}
    files["__main__.py"] = f"from {main} import main\n\nmain()\n"
    for package in packages:
        modules = (_ROOT / package).glob("*.py")
        files |= {f"{package}/{module.name}": module.read_text() for module in modules}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
