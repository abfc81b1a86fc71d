"""The program of `devices/remote/agent` as it is sent: the source of the relay, and a zip."""

import io
import zipfile
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("agent")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes
_START = "from devices.remote.agent.keeper import main\n\nmain()\n"


@cache
def relay_source() -> bytes:
    """What the remote interpreter runs first."""
    return (_FOLDER / "relay.py").read_bytes()


@cache
def keeper_program() -> bytes:
    """A zip that Python runs; of this package it holds nothing but the agent."""
    files = {f"devices/remote/agent/{path.name}": path.read_text() for path in _FOLDER.glob("*.py")}
    # Ours imports what a board does not have.
    files |= {"__main__.py": _START, "devices/__init__.py": "", "devices/remote/__init__.py": ""}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
