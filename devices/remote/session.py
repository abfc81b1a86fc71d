"""A session on a remote machine outlives the connections that carry it."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devices.remote.address import RemoteAddress
from devices.remote.answers import BadAnswerError, checked_answer
from devices.remote.ssh import ConnectionFailedError, LinkLostError, LinkSilentError, SshLink
from devices.spec import DeviceUnavailableError

PATIENCE_SECONDS = 600.0
IDLE_SECONDS = 300.0
ANSWER_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_FAREWELL_SECONDS = 3.0
_MOST_LOSSES = 10  # of the connection during one request

Say = Callable[[str], None]


class ConnectionLostError(DeviceUnavailableError):
    """A connection was lost and did not come back in time. What was finished is kept."""


class SessionLostError(DeviceUnavailableError):
    """The machine restarted or ended the session. What ran there is gone. A new session is open."""


class RefusedError(DeviceUnavailableError):
    """The program there could not do what was asked. The message says why."""


class NoAnswerError(DeviceUnavailableError):
    """The machine is connected but does not answer in time."""


class RemoteSession:
    """A session on a remote machine, for as long as the `with` block lasts.

    When a connection is lost, a new one is made, after pauses that grow, and the open request is
    resumed. The machine carries out no request twice and forgets no answer.

    Args:
        address: The address of the machine.
        say: Called with a message when a connection is lost and when it is back.
        patience_s: The time in seconds for which a lost connection is tried again, and for which
            the machine waits for the next one.

    Attributes:
        python: The version of the Python there.
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
        """End the session there, unless the machine cannot be reached now."""
        self.ask_if_connected("end")
        self._close_link()

    def ask(
        self,
        op: str,
        *,
        payload: bytes = b"",
        timeout_s: float = ANSWER_SECONDS,
        **fields: object,
    ) -> dict[str, Any]:
        """Return the answer to one request, over as many connections as it takes.

        Args:
            op: The name of an operation or a question of `devices/remote/agent/keeper.py`.
            payload: The raw bytes that belong to the request.
            timeout_s: The time in seconds that the request may take there. Time without a
                connection does not count.
            fields: The other fields of the request.

        Raises:
            ConnectionLostError: The connection did not come back in time, or is lost each time.
            SessionLostError: The machine does not know this session any more.
            RefusedError: The machine cannot do it; the message says why.
            NoAnswerError: There is no answer in time. The request is still being carried out.
            BadAnswerError: The machine answers something else than AutoMoE's program does.
        """
        self._seq += 1
        request = {"seq": self._seq, "op": op, "bytes": len(payload), **fields}
        answer = self._answer(request, payload, timeout_s)
        place = self.address.destination
        if "lost" in answer:
            raise SessionLostError(f"{place} has restarted, and what ran there is gone.")
        answer = checked_answer(answer, op, place)
        if "refused" in answer:
            raise RefusedError(f"{place} refused {op!r}: {answer['refused']}")
        return answer

    def _answer(
        self, request: Mapping[str, object], payload: bytes, timeout_s: float
    ) -> dict[str, Any]:
        """Return the answer to a request as it arrives, over as many connections as it takes."""
        place, op, why = self.address.destination, request["op"], ""
        for _ in range(_MOST_LOSSES):
            try:
                return self._exchange(request, payload, timeout_s)
            except LinkLostError as error:
                why = str(error)
                self._close_link()
                self._reconnect(why)
            except LinkSilentError:
                raise NoAnswerError(
                    f"{place} does not answer {op!r} within {timeout_s:g} s. "
                    f"Look at what keeps it busy."
                ) from None
        raise ConnectionLostError(
            f"The connection to {place} was lost {_MOST_LOSSES} times during {op!r} ({why})."
        )

    def ask_again(self, op: str, **fields: object) -> dict[str, Any]:
        """Return the answer to a question, which is asked again when the machine has restarted.

        Raises:
            ConnectionLostError: The connection did not come back in time.
            RefusedError: The machine cannot do it; the message says why.
            NoAnswerError: There is no answer in time.
            SessionLostError: The machine restarts each time.
        """
        try:
            return self.ask(op, **fields)  # type: ignore[arg-type]
        except SessionLostError:
            return self.ask(op, **fields)  # type: ignore[arg-type]

    def ask_if_connected(self, op: str) -> dict[str, Any] | None:
        """Return the answer to a request; None when the machine gives none now."""
        self._seq += 1
        request = {"seq": self._seq, "op": op, "bytes": 0}
        try:
            answer = self._exchange(request, b"", _FAREWELL_SECONDS)
            return answer if "lost" in answer else checked_answer(answer, op, "")
        except (LinkLostError, LinkSilentError, BadAnswerError):
            return None

    def _exchange(
        self, request: Mapping[str, object], payload: bytes, timeout_s: float
    ) -> dict[str, Any]:
        if self._link is None:
            raise LinkLostError("it is not connected")
        self._link.send(request, payload)
        deadline = time.monotonic() + timeout_s
        while True:  # a late answer to an earlier request may come first
            answer = self._link.receive(max(0.0, deadline - time.monotonic()))
            if answer.get("seq") == request["seq"]:
                return answer
            if time.monotonic() > deadline:
                raise LinkSilentError

    def _connect(self) -> None:
        self._link = SshLink(self.address, self._settings)
        self.python = str(self._link.words["python"] or self.python)

    def _reconnect(self, why: str) -> None:
        start, pause_s = time.monotonic(), _FIRST_PAUSE_SECONDS
        place = self.address.destination
        self._say(
            f"The connection to {place} is lost ({why}). Trying again for "
            f"{self._patience_s:g} s; the session there is kept."
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

    def _close_link(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None


def _owner() -> str:
    """Return a digest that is the same for every session of this user on this machine.

    It reveals neither the user nor the machine.
    """
    machine_id = Path("/etc/machine-id")
    machine = machine_id.read_text().strip() if machine_id.is_file() else os.uname().nodename
    return hashlib.sha256(f"{machine} {os.getuid()}".encode()).hexdigest()[:16]
