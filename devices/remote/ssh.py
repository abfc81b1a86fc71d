"""A connection made by the user's own OpenSSH client, to a program that we bring along.

The client is a child process, so that all of the user's configuration, agents, keys, jump hosts
and known hosts count. What the remote shell reads is constant; everything else goes over stdin.
"""

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any

from devices.remote.address import RemoteAddress
from devices.remote.agent_program import keeper_program, relay_source
from devices.spec import DeviceUnavailableError

GREETING = b"automoe-agent "
GREETING_SECONDS = 60.0
_MAX_BEFORE_GREETING = 1 << 16
_NO_PYTHON = 98
_TOO_OLD = 99  # beside 126 and 127, which the shell says of what it cannot run
_PYTHONS = " ".join(["python3", *(f"python3.{minor}" for minor in range(14, 7, -1))])
_LOADER = (
    f"import sys; sys.version_info < (3, 8) and sys.exit({_TOO_OLD}); "
    "sys.path[:] = filter(None, sys.path); s = sys.stdin.buffer; exec(s.read(int(s.readline())))"
)
# For any login shell: nothing within the single quotes means anything to one.
REMOTE_COMMAND = (
    f"exec /bin/sh -c 'for p in {_PYTHONS}; do command -v $p >/dev/null 2>&1 || continue; "
    f'$p -c "{_LOADER}"; s=$?; case $s in {_TOO_OLD}|126|127) ;; *) exit $s ;; esac; done; '
    f"exit {_NO_PYTHON}'"
)
# As scp does: what the user's configuration may ask for a terminal would harm a data connection.
_OPTIONS = (
    *("-T", "-x", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
    *("-o", "ClearAllForwardings=yes", "-o", "ForwardAgent=no", "-o", "PermitLocalCommand=no"),
    *("-o", "RemoteCommand=none"),
)
_ALWAYS_FAILS = ("host key verification failed", "bad configuration")  # names may come back


class ConnectionFailedError(DeviceUnavailableError):
    """A machine that cannot be reached.

    Attributes:
        is_final: Whether trying again cannot help.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class LinkLostError(RuntimeError):
    """A connection that ended; the message has the last words of ssh."""


class LinkSilentError(RuntimeError):
    """Nothing came in the time given."""


class SshLink:
    """A live connection to the keeper of a session; lines of JSON go both ways.

    Args:
        address: Where to.
        settings: For the program there, see `devices/remote/agent/relay.py` and `keeper.py`.

    Attributes:
        words: What the program said of itself; `python` is None when it was there before.

    Raises:
        ConnectionFailedError: The machine cannot be reached or has no Python.
    """

    def __init__(self, address: RemoteAddress, settings: Mapping[str, object]) -> None:
        self._address = address
        self._unread = b""
        argv = ["ssh", *options_for(address), "--", address.destination, REMOTE_COMMAND]
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us, who end the session in order
        )
        try:
            self.words = self._introduce(settings)
        except BaseException:
            self.close()
            raise

    def send(self, message: Mapping[str, object], payload: bytes = b"") -> None:
        """Write a line, and raw bytes after it.

        Raises:
            LinkLostError: The connection has ended.
        """
        self._write(json.dumps(message).encode() + b"\n" + payload)

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """The next message.

        Raises:
            LinkLostError: The connection has ended.
            LinkSilentError: None came in time.
        """
        line = self._read_line(time.monotonic() + timeout_s)
        try:
            return dict(json.loads(line))
        except ValueError:
            raise LinkLostError(f"it sent {line[:40]!r}, which is no message") from None

    def close(self) -> None:
        """End the ssh client."""
        if self._child.returncode is None:
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGTERM)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._child.wait(2.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._stderr.close()

    def _introduce(self, settings: Mapping[str, object]) -> dict[str, Any]:
        """Bring the program along; what it says of itself."""
        relay, keeper = relay_source(), keeper_program()
        line = json.dumps({**settings, "program_bytes": len(keeper)}).encode()
        try:
            # In one piece: the loader reads ahead, and the greeting says that all has arrived.
            self._write(b"%d\n%b%b\n%b" % (len(relay), relay, line, keeper))
            words = self._read_greeting()
        except (LinkLostError, LinkSilentError) as error:
            raise self._failure(str(error)) from None
        if "refused" in words:
            raise ConnectionFailedError(
                f"{self._address.destination} cannot be used: {words['refused']}.", is_final=True
            )
        return words

    def _read_greeting(self) -> dict[str, Any]:
        """Login shells may print something before it."""
        deadline, n_read = time.monotonic() + GREETING_SECONDS, 0
        while n_read < _MAX_BEFORE_GREETING:
            line = self._read_line(deadline)
            if line.startswith(GREETING):
                return dict(json.loads(line.removeprefix(GREETING)))
            n_read += len(line)
        raise LinkLostError("its login shell prints without end; let it print to terminals only")

    def _write(self, data: bytes) -> None:
        assert self._child.stdin is not None  # we asked for a pipe
        try:
            view = memoryview(data)
            while view:
                view = view[self._child.stdin.write(view) or 0 :]
        except OSError:
            raise LinkLostError(self._last_words()) from None

    def _read_line(self, deadline: float) -> bytes:
        assert self._child.stdout is not None  # we asked for a pipe
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise LinkSilentError("nothing came in time")
                chunk = os.read(self._child.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise LinkLostError(self._last_words())
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        """What ssh, or the program there, wrote last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(2.0)  # it explains itself on its way out
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "the connection ended"

    def _failure(self, words: str) -> ConnectionFailedError:
        status = self._child.poll()
        return explain_failure(self._address, status, self._all_words() or words)

    def _all_words(self) -> str:
        self._stderr.seek(0)
        return " ".join(self._stderr.read().decode(errors="replace").split())


def options_for(address: RemoteAddress) -> list[str]:
    """What ssh is told besides the user's configuration, which it must not fall behind.

    Time limits are ours only where the configuration has none.

    Raises:
        ConnectionFailedError: The configuration has a mistake.
    """
    configured = _configuration(address)
    options = list(_OPTIONS)
    if configured.get("connecttimeout", "none") == "none":
        options += ["-o", "ConnectTimeout=15"]
    if configured.get("serveraliveinterval", "0") == "0":
        options += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
    return options


def explain_failure(
    address: RemoteAddress, status: int | None, words: str
) -> ConnectionFailedError:
    """The error for a connection that did not come about, from the status and words of ssh."""
    destination, lower = address.destination, words.lower()
    hints = (
        (
            "remote host identification has changed",
            f"another key than known_hosts has. If you know why: ssh-keygen -R {destination}",
        ),
        (
            "host key verification failed",
            f"its host key is not known. Compare its fingerprint once, with: ssh {destination}",
        ),
        ("permission denied", f"put your key there (ssh-copy-id {destination}) or run ssh-add"),
        ("could not resolve hostname", "check the name, or give an address"),
        ("connection refused", "start an SSH server there (sudo systemctl start ssh)"),
        ("timed out", "check that it is on and on this network"),
        ("no route to host", "check that it is on and on this network"),
    )
    if status == _NO_PYTHON:
        return ConnectionFailedError(
            f"{destination} has no Python 3.8 or newer on its PATH. Install python3 there.",
            is_final=True,
        )
    hint = next((text for key, text in hints if key in lower), f"try: ssh {destination}")
    said = re.sub(r"@{10,}", "", words).strip().rstrip(".")[-300:] or "nothing"
    is_final = any(text in lower for text in _ALWAYS_FAILS)
    return ConnectionFailedError(
        f"{destination} cannot be reached: {hint}. ssh says: {said}.", is_final=is_final
    )


def _configuration(address: RemoteAddress) -> dict[str, str]:
    """What ssh makes of the user's configuration, by lower-case keyword."""
    try:
        finished = subprocess.run(
            ["ssh", "-G", "--", address.destination],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GREETING_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}
    except OSError as error:
        raise ConnectionFailedError(
            f"The program 'ssh' cannot be run ({error.strerror}). Install the OpenSSH client.",
            is_final=True,
        ) from error
    if finished.returncode != 0:
        said = " ".join(finished.stderr.split()) or "nothing"
        raise ConnectionFailedError(
            f"{address.destination} cannot be reached: ssh refuses your configuration. "
            f"It says: {said}",
            is_final=True,
        )
    pairs = (line.partition(" ") for line in finished.stdout.splitlines())
    return {key: value for key, _, value in pairs}
