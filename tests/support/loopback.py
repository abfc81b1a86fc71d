"""A real SSH server on the loopback address, with keys and configuration of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_UP_SECONDS = 10.0


def missing_ssh() -> str | None:
    """Why there can be no server here."""
    missing = [name for name, path in (("sshd", SSHD), ("ssh", shutil.which("ssh"))) if not path]
    return f"no {' and no '.join(missing)} here; install openssh-server" if missing else None


@dataclass
class LoopbackServer:
    """An sshd that accepts this user on a port of its own, as host `board`.

    Attributes:
        folder: Keys, configuration, and the cache that sessions on the "board" use.
        environment: Variables of sessions there.
        options: Lines of sshd_config besides ours.
        client_options: Lines of ssh_config for the host, besides ours.
        user: Who logs in.
        launcher: What starts sshd, in place of ourselves.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    client_options: tuple[str, ...] = ()
    user: str = field(default_factory=lambda: pwd.getpwuid(os.getuid()).pw_name)
    port: int = 0
    launcher: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def cache(self) -> Path:
        """What the agent leaves behind is here."""
        return self.folder / "cache" / "automoe"

    @property
    def program_folder(self) -> Path:
        """To be put first into PATH: its `ssh` reads this server's configuration."""
        return self.folder / "bin"

    def prepare(self) -> None:
        """Write keys, both configurations, and the `ssh` that reads ours."""
        for name in ("host", "id", "other"):
            key = self.folder / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        shutil.copy(self.folder / "id.pub", self.folder / "authorized_keys")
        self.trust("host")
        self.program_folder.mkdir()
        ssh = self.program_folder / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F "{self.folder}/config" "$@"\n')
        ssh.chmod(0o755)
        self.write_client_configuration()

    def trust(self, key: str) -> None:
        """Make a host key the one that the client knows."""
        words = (self.folder / f"{key}.pub").read_text().split()
        line = f"[127.0.0.1]:{self.port} {words[0]} {words[1]}\n"
        (self.folder / "known_hosts").write_text(line)

    def write_client_configuration(self) -> None:
        """The host `board`, and whatever `client_options` says of it."""
        lines = (
            "Host board",
            f"  HostName 127.0.0.1\n  Port {self.port}\n  User {self.user}",
            f"  IdentityFile {self.folder}/id\n  IdentitiesOnly yes\n  IdentityAgent none",
            f"  UserKnownHostsFile {self.folder}/known_hosts",
            "  GlobalKnownHostsFile none",
            *(f"  {line}" for line in self.client_options),
        )
        (self.folder / "config").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Listen."""
        assert SSHD is not None
        Path("/run/sshd").mkdir(exist_ok=True)
        variables = {
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "AUTOMOE_LOCK_FOLDER": str(self.folder),
            **self.environment,
        }
        lines = (
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder}/host",
            f"PidFile {self.folder}/pid",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "UsePAM no",
            "StrictModes no",
            "SetEnv " + " ".join(f'"{name}={value}"' for name, value in variables.items()),
            *self.options,
        )
        configuration = self.folder / "sshd_config"
        configuration.write_text("\n".join(lines) + "\n")
        log = self.folder / "sshd.log"
        argv = [*self.launcher, SSHD, "-D", "-f", str(configuration), "-E", str(log)]
        self.process = subprocess.Popen(argv, start_new_session=True)
        deadline = time.monotonic() + _UP_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            time.sleep(0.02)
        raise RuntimeError(f"sshd does not start: {log.read_text()}")

    def stop(self) -> None:
        """Stop listening; connections stay."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def cut(self) -> int:
        """Kill the server's side of every connection; how many there were."""
        assert self.process is not None
        connections = children(self.process.pid)
        for pid in connections:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(connections)

    def automoe(self, *command: str) -> subprocess.Popen[str]:
        """`automoe` beside the server's folder, which reaches this server as host `board`."""
        return subprocess.Popen(
            [sys.executable, "-m", "automoe", *command],
            cwd=self.folder.parent,
            env={**os.environ, "PATH": f"{self.program_folder}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def n_workloads(self) -> int:
        """Workloads that a session has there: the sentinel, and a point once blocks are taken."""
        return len(list(self.cache.glob("sessions/*/work/*.workload.json")))

    @property
    def cache_argument(self) -> str:
        """The cache as programs on the "board" see it."""
        return str(self.cache)

    def keepers(self) -> list[int]:
        """The processes that keep sessions on the "board"."""
        return processes_with(self.cache_argument)

    def reset(self) -> None:
        """End everything on the "board" at once, as a restart of it would."""
        self.cut()
        for keeper in self.keepers():
            for pid in (keeper, *children(keeper)):  # it must not tell of its end
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The processes that another has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(path.parent.name))
    return found


def processes_with(argument: str) -> list[int]:
    """Those that were started with an argument that begins like this."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if any(word.startswith(argument.encode()) for word in words):
                found.append(int(path.parent.name))
    return found
