"""A session on a remote machine, which outlives the connections that carry it."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devices.remote.address import RemoteAddress
from devices.remote.ssh import ConnectionFailedError, LinkLostError, LinkSilentError, SshLink
from devices.spec import DeviceUnavailableError

PATIENCE_SECONDS = 600.0
IDLE_SECONDS = 300.0
ANSWER_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_FAREWELL_SECONDS = 3.0

Say = Callable[[str], None]


class ConnectionLostError(DeviceUnavailableError):
    """A connection was lost and did not come back in time; what was finished is kept."""


class SessionLostError(RuntimeError):
    """The machine restarted, or gave the session up: what ran there is gone, a new one is open."""


class RefusedError(DeviceUnavailableError):
    """The program there could not do what was asked; the message says why."""


class NoAnswerError(DeviceUnavailableError):
    """The machine is connected and does not answer in time."""


class RemoteSession:
    """Requests to the program on a remote machine, for as long as the `with` block lasts.

    A lost connection is made anew, with pauses that grow, and the open request goes on: the
    machine carries out no request twice and forgets no answer.

    Args:
        address: Where.
        say: Told when a connection is lost and when it is back.
        patience_s: How long a lost connection is tried anew, and how long the machine waits.
    """

    def __init__(
        self, address: RemoteAddress, *, say: Say, patience_s: float = PATIENCE_SECONDS
    ) -> None:
        self.address = address
        self._say = say
        self._patience_s = patience_s
        self._seq = 0
        self._settings = {
            "session": secrets.token_hex(8),
            "owner": _owner(),
            "python": address.python,
            "patience_s": patience_s,
            "idle_s": IDLE_SECONDS,
        }
        self._link: SshLink | None = None
        self.python = ""

    def __enter__(self) -> "RemoteSession":
        """Connect.

        Raises:
            ConnectionFailedError: The machine cannot be reached or has no usable Python.
        """
        self._connect()
        return self

    def __exit__(self, *error: object) -> None:
        """End the session there, unless it cannot be reached now."""
        self.ask_if_connected("end")
        self._hang_up()

    def ask(
        self,
        op: str,
        *,
        payload: bytes = b"",
        timeout_s: float = ANSWER_SECONDS,
        **fields: object,
    ) -> dict[str, Any]:
        """The answer to one request, over as many connections as it takes.

        Args:
            op: One of `devices/remote/agent/keeper.py` or `questions.py`.
            payload: Raw bytes that belong to it.
            timeout_s: How long it may take there, in seconds; a time without connection does not
                count.
            fields: What else it takes.

        Raises:
            ConnectionLostError: The connection did not come back in time.
            SessionLostError: The machine knows nothing of this session any more.
            RefusedError: The machine says why it cannot.
            NoAnswerError: There is no answer in time; the request is still being carried out.
        """
        self._seq += 1
        request = {"seq": self._seq, "op": op, "bytes": len(payload), **fields}
        while True:
            try:
                answer = self._exchange(request, payload, timeout_s)
                break
            except LinkLostError as error:
                self._hang_up()
                self._reconnect(str(error))
            except LinkSilentError:
                raise NoAnswerError(
                    f"{self.address.destination} does not answer {op!r} within {timeout_s:g} s. "
                    f"Look what keeps it busy."
                ) from None
        if "lost" in answer:
            raise SessionLostError(f"{self.address.destination} has restarted")
        if "refused" in answer:
            raise RefusedError(f"{self.address.destination} refused {op!r}: {answer['refused']}")
        return answer

    def ask_again(self, op: str, **fields: object) -> dict[str, Any]:
        """As `ask`, for a question that a machine that has restarted may be asked anew.

        Raises:
            ConnectionLostError, RefusedError, NoAnswerError: See `ask`.
        """
        try:
            return self.ask(op, **fields)  # type: ignore[arg-type]
        except SessionLostError:
            return self.ask(op, **fields)  # type: ignore[arg-type]

    def ask_if_connected(self, op: str) -> dict[str, Any] | None:
        """The answer to a request that is not worth waiting for a lost connection; else None."""
        self._seq += 1
        try:
            return self._exchange({"seq": self._seq, "op": op}, b"", _FAREWELL_SECONDS)
        except (LinkLostError, LinkSilentError):
            return None

    def _exchange(
        self, request: Mapping[str, object], payload: bytes, timeout_s: float
    ) -> dict[str, Any]:
        if self._link is None:
            raise LinkLostError("it is not connected")
        self._link.send(request, payload)
        deadline = time.monotonic() + timeout_s
        while True:  # an answer to a request that was given up may come first
            answer = self._link.receive(max(0.0, deadline - time.monotonic()))
            if answer.get("seq") == request["seq"]:
                return answer

    def _connect(self) -> None:
        self._link = SshLink(self.address, self._settings)
        self.python = self._link.words["python"] or self.python

    def _reconnect(self, why: str) -> None:
        start, pause_s = time.monotonic(), _FIRST_PAUSE_SECONDS
        place = self.address.destination
        self._say(
            f"The connection to {place} is lost ({why}). Trying again for "
            f"{self._patience_s:g} s; the session there goes on."
        )
        while True:
            try:
                self._connect()
            except ConnectionFailedError as error:
                if error.is_final:
                    raise
                if time.monotonic() - start + pause_s > self._patience_s:
                    raise ConnectionLostError(
                        f"The connection to {place} was lost and did not come back within "
                        f"{self._patience_s:g} s. {error}"
                    ) from error
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_SECONDS)
            else:
                self._say(f"Connected to {place} again after {time.monotonic() - start:.1f} s.")
                return

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None


def _owner() -> str:
    """The same for every session of this user on this machine; tells nothing about either."""
    machine_id = Path("/etc/machine-id")
    machine = machine_id.read_text().strip() if machine_id.is_file() else os.uname().nodename
    return hashlib.sha256(f"{machine} {os.getuid()}".encode()).hexdigest()[:16]
