"""Tell how many processes evaluate, and how long the evaluations of a search take with them."""

from dataclasses import dataclass

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.progress import duration
from automoe.settings.search import EvolutionSettings
from devices.host import Host, LocalHost
from devices.linux.cores import usable_cores
from devices.linux.memory import available_memory_mb

# Processes take about so many seconds to start. For so long this process evaluates alone before.
START_S = 5.0
_TORCH_MB = 400
_BATCH_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class ExpectedTime:
    """The time that evaluations are expected to take.

    Attributes:
        n_evaluations: The most evaluations that are left. Those whose value is known take no time.
        each_s: The seconds that one of them takes in one process, with all stages of halving.
        jobs: The number of processes.
    """

    n_evaluations: int
    each_s: float
    jobs: int

    @property
    def n_processes(self) -> int:
        """The number of processes that are used: one when starting more would not pay."""
        return self.jobs if self.n_evaluations * self.each_s > START_S else 1

    @property
    def seconds(self) -> float:
        """The seconds of all evaluations, and of starting the processes."""
        alone_s = self.n_evaluations * self.each_s
        if self.n_processes == 1:
            return alone_s
        return 2 * START_S + (alone_s - START_S) / self.n_processes

    def __str__(self) -> str:
        """Return one sentence for the user."""
        jobs = "1 job" if self.n_processes == 1 else f"{self.n_processes} jobs"
        return (
            f"Up to {self.n_evaluations} evaluations of about {duration(self.each_s)} on {jobs}: "
            f"about {duration(self.seconds)}."
        )


def default_jobs(
    space: SearchSpace, settings: EvolutionSettings, *, host: Host | None = None
) -> int:
    """Return how many processes evaluate on this machine: one for each usable core.

    There are fewer when the free memory does not hold so many supernets, or when no generation has
    so many architectures.

    Args:
        space: The space of the supernet.
        settings: The sizes of the generations.
        host: The machine; None for this one.
    """
    host = host or LocalHost()
    most = max(settings.population, settings.mutants + settings.crossovers)
    free_mb = available_memory_mb(host)
    if free_mb is not None:
        # This process has evaluated a few architectures, so it holds a supernet as well.
        most = min(most, int(free_mb // _evaluation_mb(space)) - 1)
    return max(1, min(usable_cores(host), most))


def _evaluation_mb(space: SearchSpace) -> float:
    """Return the memory of a process that evaluates: libraries, weights and one batch's logits."""
    weights = TranslationWorkload.of(space).cost(space.largest()).weight_bytes
    logits = 4 * _BATCH_TOKENS * space.vocab_size
    return _TORCH_MB + (2 * weights + 2 * logits) / 1e6
