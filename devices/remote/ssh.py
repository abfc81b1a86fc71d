"""This module connects to a program that it sends along, by the user's own OpenSSH client.

The client is a child process, so that all of the user's configuration counts: agents, keys, jump
hosts and known hosts. The command that the remote shell reads is constant. Everything else goes
over stdin.
"""

import contextlib
import json
import re
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from devices.plain_text import plain_line, plain_values
from devices.remote.address import RemoteAddress
from devices.remote.agent.child import MOST_WORDS, Child
from devices.remote.agent.wire import LONGEST_LINE_BYTES, Gone, TooLong
from devices.remote.agent_program import keeper_program, relay_source
from devices.remote.answers import BadAnswerError, read_message
from devices.spec import DeviceUnavailableError

GREETING = "automoe-agent"
GREETING_SECONDS = 60.0
_MAX_BEFORE_GREETING = 1 << 16
_NO_PYTHON = 98
_TOO_OLD = 99  # the shell itself gives 126 and 127 for what it cannot run
_PYTHONS = " ".join(["python3", *(f"python3.{minor}" for minor in range(14, 7, -1))])
_LOADER = (
    f"import sys; sys.version_info < (3, 8) and sys.exit({_TOO_OLD}); "
    "sys.path[:] = filter(None, sys.path); s = sys.stdin.buffer; exec(s.read(int(s.readline())))"
)
# Any login shell may read it: the text in single quotes is passed on unchanged.
REMOTE_COMMAND = (
    f"exec /bin/sh -c 'for p in {_PYTHONS}; do command -v $p >/dev/null 2>&1 || continue; "
    f'$p -c "{_LOADER}"; s=$?; case $s in {_TOO_OLD}|126|127) ;; *) exit $s ;; esac; done; '
    f"exit {_NO_PYTHON}'"
)
# scp has the same ones: settings for terminals would harm a connection that carries data.
_OPTIONS = (
    *("-T", "-x", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
    *("-o", "ClearAllForwardings=yes", "-o", "ForwardAgent=no", "-o", "PermitLocalCommand=no"),
    *("-o", "RemoteCommand=none"),
)
_ALWAYS_FAILS = ("host key verification failed", "bad configuration")


class ConnectionFailedError(DeviceUnavailableError):
    """A machine that cannot be reached.

    Attributes:
        is_final: Whether another attempt cannot help.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class LinkLostError(RuntimeError):
    """A connection that ended. The message has the last words of ssh."""


class LinkSilentError(RuntimeError):
    """The connection is there, but no message arrived in the given time."""


class SshLink:
    """A live connection to the keeper of a session. Lines of JSON go both ways.

    Args:
        address: The address of the machine.
        settings: The settings for `devices/remote/agent/relay.py` and `keeper.py`.

    Attributes:
        words: The greeting of the program there. Its `python` is None when the keeper was running
            before.

    Raises:
        ConnectionFailedError: The machine cannot be reached or has no usable Python.
    """

    def __init__(self, address: RemoteAddress, settings: Mapping[str, object]) -> None:
        self._address = address
        self._configuration = _configuration(address)
        options = options_for(self._configuration)
        self._child = Child(["ssh", *options, "--", address.destination, REMOTE_COMMAND])
        try:
            self.words = self._send_program(settings)
        except BaseException:
            self.close()
            raise

    def send(self, message: Mapping[str, object], payload: bytes = b"") -> None:
        """Write a line of JSON, and raw bytes after it.

        Raises:
            LinkLostError: The connection has ended.
        """
        self._write(json.dumps(message).encode() + b"\n" + payload)

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """Return the next message.

        Raises:
            LinkLostError: The connection has ended.
            LinkSilentError: No message arrived in time.
            BadAnswerError: What arrived is not a message.
        """
        place = self._address.destination
        try:
            return read_message(self._read_line(timeout_s, LONGEST_LINE_BYTES), place)
        except TooLong:
            raise BadAnswerError(
                f"{place} sent a message of more than {LONGEST_LINE_BYTES >> 20} MiB, which "
                f"AutoMoE's program does not. Look at what runs there."
            ) from None

    def close(self) -> None:
        """End the ssh client."""
        self._child.end(grace_s=2.0)

    def _send_program(self, settings: Mapping[str, object]) -> dict[str, Any]:
        """Send the program along, and return its greeting."""
        relay, keeper, nonce = relay_source(), keeper_program(), secrets.token_hex(8)
        line = json.dumps({**settings, "nonce": nonce, "program_bytes": len(keeper)}).encode()
        try:
            # In one piece, because the loader reads ahead. The greeting says that all has arrived.
            self._write(b"%d\n%b%b\n%b" % (len(relay), relay, line, keeper))
            words = self._read_greeting(f"{GREETING} {nonce} ".encode())
        except (LinkLostError, LinkSilentError) as error:
            raise self._failure(str(error)) from None
        except BadAnswerError as error:
            raise ConnectionFailedError(str(error), is_final=True) from None
        if "refused" in words:
            raise ConnectionFailedError(
                f"{self._address.destination} cannot be used: {words['refused']}.", is_final=True
            )
        return words

    def _read_greeting(self, start: bytes) -> dict[str, Any]:
        """Return the greeting. A login shell may print something before it, which is skipped."""
        deadline, n_left = time.monotonic() + GREETING_SECONDS, _MAX_BEFORE_GREETING
        with contextlib.suppress(TooLong):
            while n_left > 0:
                line = self._read_line(deadline - time.monotonic(), n_left)
                if line.startswith(start):
                    words = read_message(line.removeprefix(start), self._address.destination)
                    return {"python": None, **plain_values(words)}
                n_left -= len(line) + 1
        raise LinkLostError("its login shell never stops printing; let it print only to terminals")

    def _write(self, data: bytes) -> None:
        try:
            self._child.write(data)
        except OSError:
            raise LinkLostError(self._last_line()) from None

    def _read_line(self, timeout_s: float, most_bytes: int) -> bytes:
        try:
            return self._child.read_line(timeout_s, most_bytes)
        except TimeoutError:
            raise LinkSilentError("nothing came in time") from None
        except Gone:
            raise LinkLostError(self._last_line()) from None

    def _last_line(self) -> str:
        """Return the last line that ssh, or the program there, wrote to stderr."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.process.wait(2.0)  # it writes the reason when it ends
        lines = self._child.last_words().splitlines()
        return plain_line(lines[-1]) if lines else "the connection ended"

    def _failure(self, reason: str) -> ConnectionFailedError:
        words = plain_line(self._child.last_words(MOST_WORDS)) or reason
        status = self._child.process.poll()
        return explain_failure(self._address, status, words, self._configuration)


def options_for(configured: Mapping[str, str]) -> list[str]:
    """Return the options for ssh that are added to the user's configuration.

    Time limits are added only when the configuration has none.
    """
    options = list(_OPTIONS)
    if configured.get("connecttimeout", "none") == "none":
        options += ["-o", "ConnectTimeout=15"]
    if configured.get("serveraliveinterval", "0") == "0":
        options += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
    return options


def explain_failure(
    address: RemoteAddress, status: int | None, words: str, configured: Mapping[str, str]
) -> ConnectionFailedError:
    """Return the error for a connection that failed, from the exit status and the words of ssh."""
    destination, lower = address.destination, words.lower()
    hints = (
        (
            "remote host identification has changed",
            "another key than known_hosts has. If you know why: "
            + forget_host_key({"hostname": destination, **configured}, words),
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


def forget_host_key(configured: Mapping[str, str], words: str) -> str:
    """Return the command that removes a host key, under the name and from the file that ssh uses.

    Args:
        configured: The user's configuration for the machine.
        words: What ssh says about the key.
    """
    name, port = configured["hostname"], configured.get("port", "22")
    if (alias := configured.get("hostkeyalias", "none")) != "none":
        name = alias
    elif port != "22":
        name = f"[{name}]:{port}"
    named = re.search(r"Offending \S+ key in (.+?):\d+", words)
    file = ["-f", named[1]] if named else []
    return shlex.join(["ssh-keygen", *file, "-R", name])


def _configuration(address: RemoteAddress) -> dict[str, str]:
    """Return what ssh makes of the user's configuration, by lower-case keyword.

    Raises:
        ConnectionFailedError: The configuration has a mistake.
    """
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
        said = plain_line(finished.stderr) or "nothing"
        raise ConnectionFailedError(
            f"{address.destination} cannot be reached: ssh refuses your configuration. "
            f"It says: {said}",
            is_final=True,
        )
    pairs = (line.partition(" ") for line in finished.stdout.splitlines())
    return {key: value for key, _, value in pairs}
