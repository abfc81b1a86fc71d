"""A remote host is a machine at the end of an SSH connection, which plugins ask over it."""

from collections.abc import Sequence
from typing import Any, cast

from devices.host import Kernel
from devices.remote.address import RemoteAddress
from devices.remote.files import RemoteFiles
from devices.remote.session import PATIENCE_SECONDS, RemoteSession, Say
from devices.spec import DeviceBusyError


def say_nothing(message: str) -> None:
    """Ignore the message. This is the default where nobody wants to know of lost connections."""


class RemoteHost:
    """A `devices.Host` on another machine, for as long as the `with` block lasts.

    Args:
        address: The address of the machine.
        say: Called with a message when a connection is lost and when it is back.
        patience_s: The time for which a lost connection is tried again, in seconds.

    Attributes:
        session: The session there, which answers requests.
        files: The files of the session there.
    """

    is_local = False

    def __init__(
        self,
        address: RemoteAddress,
        *,
        say: Say = say_nothing,
        patience_s: float = PATIENCE_SECONDS,
    ) -> None:
        self.label = address.destination
        self.session = RemoteSession(address, say=say, patience_s=patience_s)
        self.files = RemoteFiles(self.session)

    def __enter__(self) -> "RemoteHost":
        """Connect.

        Raises:
            ConnectionFailedError: The machine cannot be reached or has no usable Python.
        """
        self.session.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """End the session there."""
        self.session.__exit__(*error)

    def lock(self) -> None:
        """Keep other sessions off the machine until this one ends. A second call changes nothing.

        Raises:
            DeviceBusyError: Another session measures there.
            DeviceUnavailableError: The machine is lost.
        """
        holder = self.session.ask_again("lock")["holder"]
        if holder is not None:
            raise DeviceBusyError(self.label, holder)

    def kernel(self) -> Kernel:
        """See `Host`."""
        return Kernel(*self._ask("kernel"))

    def usable_cpus(self) -> tuple[int, ...]:
        """See `Host`."""
        return tuple(self._ask("usable_cpus"))

    def read_text(self, path: str) -> str | None:
        """See `Host`."""
        return cast("str | None", self._ask("read_text", path))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """See `Host`."""
        return tuple(self._ask("glob", pattern))

    def run(self, argv: Sequence[str]) -> str | None:
        """See `Host`."""
        return cast("str | None", self._ask("run", argv))

    def package_version(self, name: str) -> str | None:
        """See `Host`."""
        return cast("str | None", self._ask("package_version", name))

    def _ask(self, question: str, *arguments: object) -> Any:
        """Return the answer of `ThisMachine` there."""
        return self.session.ask_again(question, arguments=arguments)["answer"]
