"""Fitness functions that other processes can import, and that leave a trace of every call."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from automoe.architecture.architecture import Architecture


def width_of(architecture: Architecture) -> float:
    """All expert widths together."""
    stacks = (architecture.encoder, architecture.decoder)
    return float(sum(w for stack in stacks for layer in stack.layers for w in layer.experts))


@dataclass(frozen=True)
class Traced:
    """`width_of`, noting in a folder which process finished it; may kill its process before.

    Attributes:
        folder: Where the notes go.
        kills: Architectures whose evaluation kills the process that begins it, by their id.
        times: How often each does.
    """

    folder: Path
    kills: tuple[str, ...] = ()
    times: int = 1

    @property
    def digest(self) -> str:
        return "traced"

    def __call__(self, architecture: Architecture) -> float:
        if architecture.id in self.kills:
            killed = self.folder / "killed" / architecture.id
            killed.mkdir(parents=True, exist_ok=True)
            if len(list(killed.iterdir())) < self.times:
                (killed / uuid4().hex).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        note = self.folder / "finished" / architecture.id
        note.mkdir(parents=True, exist_ok=True)
        (note / str(os.getpid())).touch()
        return width_of(architecture)

    def killed(self) -> int:
        """How many processes were killed."""
        return len(list((self.folder / "killed").glob("*/*")))

    def processes(self) -> set[str]:
        """The processes that finished something."""
        return {note.name for note in (self.folder / "finished").glob("*/*")}


class OfAnotherCopy:
    """A fitness of files that are not the same in every process."""

    @property
    def digest(self) -> str:
        """Of this process's copy."""
        return str(os.getpid())

    def __call__(self, architecture: Architecture) -> float:
        """Never the fitness that was meant."""
        return 0.0
