"""An `ssh` that reaches no further than this machine: it runs the remote command here."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from support.loopback import children, processes_with

# As sshd does, it gives the command a session of its own, so that the end of one is not the
# other's. A file `broken` makes it fail like a machine that is off.
_SSH = """#!/bin/sh
[ "$1" = -G ] && exit 0
if [ -e "{folder}/broken" ]; then cat "{folder}/broken" >&2; exit 255; fi
for last; do :; done
echo $$ >> "{folder}/connections"
{before}exec sh -c "$last"
"""


class SshInPlace:
    """Put into PATH, it stands for ssh and a machine to reach.

    Args:
        folder: Its program, and the cache of the "machine".
        before: A command that the login shell there runs before anything else.
    """

    def __init__(self, folder: Path, before: str = "") -> None:
        self.folder = folder
        self.cache = folder / "cache" / "automoe"
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "AUTOMOE_LOCK_FOLDER": str(folder),
        }
        (folder / "bin").mkdir(parents=True)
        program = folder / "bin" / "ssh"
        program.write_text(_SSH.format(folder=folder, before=f"{before}\n" if before else ""))
        program.chmod(0o755)

    @property
    def n_connections(self) -> int:
        """How often a connection was made."""
        return len((self.folder / "connections").read_text().split())

    def cut(self) -> None:
        """End the latest connection."""
        pid = int((self.folder / "connections").read_text().split()[-1])
        for each in (*children(pid), pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)

    def switch_off(self, words: str = "connect: Connection refused") -> None:
        """From now on it cannot be reached."""
        (self.folder / "broken").write_text(words + "\n")

    def switch_on(self) -> None:
        """It can be reached again."""
        (self.folder / "broken").unlink()

    def keepers(self) -> list[int]:
        """The processes that keep sessions."""
        return processes_with(str(self.cache))

    def reset(self) -> None:
        """End everything that runs there, as a restart would."""
        for keeper in self.keepers():
            for pid in (keeper, *children(keeper)):  # it must not tell of its end
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.cut()
