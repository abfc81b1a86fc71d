"""The worker, as the child of the keeper."""

from __future__ import annotations

import os
import signal
import subprocess

from devices.remote.agent.wire import CHUNK, Gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    Message = Dict[str, Any]

STDERR_TAIL = 2000


class Child:
    """The worker."""

    def __init__(self, argv: List[str], environment: Dict[str, str], stderr: str) -> None:
        self.stderr = stderr
        with open(stderr, "wb") as errors:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(os.environ, **environment),
                bufsize=0,
                start_new_session=True,
            )
        self.unread = b""

    def tell(self, line: str) -> None:
        """Write a line to its stdin; when it is dead, its stdout will say so."""
        try:
            self.process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr]
        except OSError:
            pass

    def hear(self) -> Optional[bytes]:
        """A whole line of its stdout when there is one by now; raises Gone at its end."""
        data = os.read(self.fileno(), CHUNK)
        if not data:
            raise Gone
        self.unread += data
        if b"\n" not in self.unread:
            return None
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def fileno(self) -> int:
        """Of its stdout, for select."""
        return self.process.stdout.fileno()  # type: ignore[union-attr]

    def end(self) -> Message:
        """Kill it and all it has started; its exit status and last words."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass
        status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()  # type: ignore[union-attr]
        with open(self.stderr, "rb") as file:
            tail = file.read()[-STDERR_TAIL:].decode(errors="replace").strip()
        return {"status": status, "tail": tail}
