"""A board that is not there: real aarch64 programs under QEMU, behind a real SSH server.

`tests/emulation/build.sh` makes the root tree, once. Its /sys and /proc/cpuinfo are those of
`support.boards`. Times taken on it say nothing about any board.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.boards import Board
from support.loopback import LoopbackServer, missing_ssh

SCRIPTS = Path(__file__).parents[1] / "emulation"
CACHE = Path(
    os.environ.get("AUTOMOE_EMULATED_BOARD") or Path.home() / ".cache/automoe-emulated-board"
)
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_NAME = "automoe-aarch64"
# ELF, 64 bits, little-endian, executable or shared object, for AArch64.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def missing_board() -> str | None:
    """Why there can be no emulated board here."""
    if missing_ssh():
        return missing_ssh()
    if os.getuid() != 0 or platform.system() != "Linux":
        return "an emulated board needs root on Linux, for chroot and mount"
    ready = CACHE / "ready"
    if not ready.exists() or ready.read_text().strip() not in (SCRIPTS / "build.sh").read_text():
        return f"no root tree of today in {CACHE}; make one: tests/emulation/build.sh {CACHE}"
    return None


@contextmanager
def aarch64_programs() -> Iterator[None]:
    """Have the kernel start programs for aarch64 with QEMU, for as long as the block lasts."""
    if platform.machine() == "aarch64" or list(_BINFMT.glob("*aarch64*")):
        yield
        return
    if not (_BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)], check=True)
    # F: QEMU is opened now, so that it need not be in the chroot. P, O: it sees what was called.
    line = f":{_NAME}:M::{_MAGIC}:{_MASK}:{CACHE / 'qemu-aarch64-static'}:OPF"
    with (_BINFMT / "register").open("w") as file:
        file.write(line)
    try:
        yield
    finally:
        (_BINFMT / _NAME).write_text("-1")


class EmulatedBoard(LoopbackServer):
    """A server whose sessions are on the board; `board` is its name for ssh.

    Args:
        folder: For keys and configuration.
        board: What its files and commands say.
        cpu: QEMU's name for its cores.
    """

    def __init__(self, folder: Path, board: Board, cpu: str) -> None:
        self.root = Path("/run/automoe-board") / str(os.getpid()) / "root"
        super().__init__(
            folder,
            environment={
                "XDG_CACHE_HOME": "/root/.cache",
                "AUTOMOE_LOCK_FOLDER": "/tmp",
                "QEMU_CPU": cpu,
            },
            options=(f"ChrootDirectory {self.root}",),
        )
        self.tree = folder / "board"
        board.host(self.tree)
        self._write_what_runtimes_ask(len(board.cpus))
        self._write_commands(board)
        self.launcher = (
            *("unshare", "--mount", str(SCRIPTS / "start.sh")),
            *(str(CACHE), str(self.tree), str(self.root)),
        )

    @property
    def cache(self) -> Path:
        """Seen through the mounts of the server."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.root}/root/.cache/automoe")

    @property
    def cache_argument(self) -> str:
        """The same, as programs on the board see it."""
        return "/root/.cache/automoe"

    def stop(self) -> None:
        """Stop it; its mounts go with its last process."""
        super().stop()
        shutil.rmtree(self.root.parent, ignore_errors=True)

    def _write_what_runtimes_ask(self, n_cpus: int) -> None:
        for name in ("possible", "present"):
            path = self.tree / "sys/devices/system/cpu" / name
            path.write_text(f"0-{n_cpus - 1}\n")

    def _write_commands(self, board: Board) -> None:
        """Scripts that print what the board's commands print."""
        folder = self.tree / "usr/local/bin"
        folder.mkdir(parents=True)
        for name in sorted({argv[0] for argv in board.outputs}):
            cases = [
                f"'{' '.join(argv[1:])}') cat <<'END'\n{text}\nEND\n;;\n"
                for argv, text in board.outputs.items()
                if argv[0] == name
            ]
            program = folder / name
            program.write_text(f'#!/bin/sh\ncase "$*" in\n{"".join(cases)}*) exit 1 ;;\nesac\n')
            program.chmod(0o755)
