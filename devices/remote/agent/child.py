"""This module talks in lines to a child process: a worker, or the client's ssh."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import tempfile
import time
from typing import Dict, List, Optional, Sequence

from devices.remote.agent.wire import (
    CHUNK,
    LONGEST_ANSWER_BYTES,
    TRANSFER_SECONDS,
    Gone,
    Lines,
)

MOST_WORDS = 1 << 16


class Child:
    """A child process with pipes to its stdin and stdout.

    It leads a group of processes of its own, so that Ctrl-C does not reach it.

    Args:
        argv: The program and its arguments.
        environment: The variables that it gets besides those of this process.
        folder: The folder of the file that its stderr is written to; None for the system's. The
            file has no name, so that nothing is left when this process is killed.
        descriptors: The open files that it inherits.
    """

    def __init__(
        self,
        argv: List[str],
        environment: Optional[Dict[str, str]] = None,
        folder: Optional[str] = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.words = b""
        self.lines = Lines()
        self.errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  `end` closes it
        try:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env=dict(os.environ, **(environment or {})),
                bufsize=0,
                start_new_session=True,
                pass_fds=descriptors,
            )
        except BaseException:
            self.errors.close()
            raise
        os.set_blocking(self.process.stdin.fileno(), False)  # type: ignore[union-attr]

    def fileno(self) -> int:
        """Return the descriptor of its stdout, which `select` waits for."""
        return self.process.stdout.fileno()  # type: ignore[union-attr]

    def write(self, data: bytes, stalled_s: float = TRANSFER_SECONDS) -> None:
        """Write all bytes to its stdin.

        Raises:
            OSError: The child reads no more, or nothing for `stalled_s` seconds.
        """
        pipe, view = self.process.stdin, memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_WRITE)  # type: ignore[arg-type]
            while view:
                if not selector.select(stalled_s):
                    raise OSError(errno.ETIMEDOUT, "it takes no more data")
                view = view[pipe.write(view) or 0 :]  # type: ignore[union-attr]

    def receive(self, most_bytes: int = LONGEST_ANSWER_BYTES) -> Optional[bytes]:
        """Read once from its stdout. Return the next line, or None when it is not complete.

        Raises:
            Gone: The stdout of the child has ended.
            TooLong: The line has more bytes than are allowed.
        """
        data = os.read(self.fileno(), CHUNK)
        if not data:
            raise Gone
        self.lines.add(data)
        return self.lines.take(most_bytes)

    def read_line(self, timeout_s: float, most_bytes: int = LONGEST_ANSWER_BYTES) -> bytes:
        """Wait for the next line of its stdout and return it without its end.

        Raises:
            TimeoutError: The line was not complete in time, also while data arrives.
            Gone: The stdout of the child has ended.
            TooLong: The line has more bytes than are allowed.
        """
        deadline = time.monotonic() + timeout_s
        line = self.lines.take(most_bytes)
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            while line is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    raise TimeoutError
                line = self.receive(most_bytes)
        return line

    def end(self, grace_s: float = 0.0) -> int:
        """End the child and all that it has started, and return its exit status.

        Args:
            grace_s: The time in seconds that it may take to end by itself before it is killed.
        """
        if grace_s:
            self.signal(signal.SIGTERM)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        if grace_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_s)
        self.signal(signal.SIGKILL)
        status = self.process.wait()
        self.last_words()
        self.errors.close()
        return status

    def signal(self, number: int) -> None:
        """Send a signal to the child and all that it has started, unless it has ended."""
        if self.process.returncode is None:
            with contextlib.suppress(OSError):  # macOS refuses it for a child that has just ended
                os.killpg(self.process.pid, number)

    def last_words(self, most: int = 2000) -> str:
        """Return the end of its stderr, at most this number of bytes; also after its end."""
        if not self.errors.closed:
            start = os.fstat(self.errors.fileno()).st_size - MOST_WORDS
            # A read that moved the position would move it for the child as well.
            self.words = os.pread(self.errors.fileno(), MOST_WORDS, max(0, start))
        return self.words[-most:].decode(errors="replace").strip()
