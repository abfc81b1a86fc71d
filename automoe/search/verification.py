"""The budget is a promise: candidates are measured on the device before one is returned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from automoe.architecture import Architecture
from automoe.profiling import profile_architectures
from automoe.progress import OnProgress, no_progress
from automoe.search.budget_search import Candidate
from automoe.search.settings import SearchSettings
from automoe.space import SearchSpace
from automoe.workload import TranslationWorkload
from devices import Device
from profilers import Protocol, read_log


@dataclass(frozen=True, slots=True)
class Measured:
    """A latency measured on the device, with its 95 % interval.

    Attributes:
        latency_ms: The median.
        ci_low_ms: Lower bound.
        ci_high_ms: Upper bound.
        raw_ms: The median without a correction for the machine's drift.
        flags: What to mind about the measurement.
    """

    latency_ms: float
    ci_low_ms: float
    ci_high_ms: float
    raw_ms: float
    flags: tuple[str, ...]

    def fits(self, budget_ms: float) -> bool:
        """Whether the whole interval is within a budget, and so is what was seen uncorrected."""
        return max(self.ci_high_ms, self.raw_ms) <= budget_ms


@dataclass(frozen=True, slots=True)
class Verification:
    """What the device said.

    Attributes:
        winner: The best candidate whose whole interval is within the budget; the best one that
            was measured when none is.
        certified: Whether the winner fits.
        reason: Why it is certified or not, for a person.
        measured: Everything measured, by architecture; None for what failed.
    """

    winner: Candidate
    certified: bool
    reason: str
    measured: Mapping[Architecture, Measured | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where and how candidates are measured.

    Attributes:
        device: The device.
        protocol: How precisely.
        workload: The sentence that is timed.
        space: Gives the sentinel.
        log: Keeps every measurement; what it holds is not measured again.
        graphs: Folder for the graphs, removed afterwards.
    """

    device: Device
    protocol: Protocol
    workload: TranslationWorkload
    space: SearchSpace
    log: Path
    graphs: Path

    def measure(
        self, architectures: Sequence[Architecture], on_progress: OnProgress
    ) -> dict[Architecture, Measured | None]:
        """Measure together, interleaved; None for what failed.

        Raises:
            DeviceUnavailableError: The device cannot be used.
            ProfilingError: Nothing can be measured there.
            LogError: The log holds measurements of other conditions.
        """
        profile_architectures(
            architectures,
            device=self.device,
            protocol=self.protocol,
            workload=self.workload,
            log=self.log,
            space=self.space,
            graphs=self.graphs,
            on_progress=on_progress,
        )
        rows = {row["point_id"]: row for row in read_log(self.log)}
        return {a: _measured(rows[a.id]) if a.id in rows else None for a in architectures}


def verify(
    candidates: Sequence[Candidate],
    settings: SearchSettings,
    *,
    bench: Bench,
    known: Mapping[Architecture, Measured | None] | None = None,
    also: Sequence[Architecture] = (),
    on_progress: OnProgress = no_progress,
) -> Verification:
    """Measure the best candidates that were not measured before, and judge all that were.

    Args:
        candidates: At least one, best first.
        settings: Budget, and how many to measure together.
        bench: Where and how.
        known: What was measured before.
        also: Architectures to measure beside the candidates, such as a baseline.
        on_progress: Called as points are finished.

    Raises:
        ValueError: There is no candidate.
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: Nothing can be measured there.
    """
    if not candidates:
        raise ValueError("'candidates' must hold at least one. Got none.")
    measured = dict(known or {})
    fresh = [c.architecture for c in candidates if c.architecture not in measured]
    together = [*fresh[: settings.verify_top], *(a for a in also if a not in measured)]
    if together:
        measured |= bench.measure(together, on_progress)
    tried = [c for c in candidates if c.architecture in measured]
    for candidate in tried:
        found = measured[candidate.architecture]
        if found and found.fits(settings.budget_ms):
            return Verification(candidate, True, _fits(found, settings), measured)
    best = next((c for c in tried if measured[c.architecture]), candidates[0])
    return Verification(best, False, _fits_not(measured, settings), measured)


def _fits(found: Measured, settings: SearchSettings) -> str:
    return (
        f"measured {found.latency_ms:.4g} ms, 95 % interval {found.ci_low_ms:.4g} to "
        f"{found.ci_high_ms:.4g} ms, within {settings.budget_ms:g} ms"
    )


def _fits_not(measured: Mapping[Architecture, Measured | None], settings: SearchSettings) -> str:
    n_failed = sum(found is None for found in measured.values())
    return (
        f"none of {len(measured) - n_failed} measured architectures has its whole 95 % interval "
        f"within {settings.budget_ms:g} ms"
        + (f", {n_failed} could not be measured" if n_failed else "")
    )


def _measured(row: dict[str, str]) -> Measured:
    flags = tuple(flag for flag in row["flags"].split(";") if flag)
    names = ("latency_ms", "ci_low_ms", "ci_high_ms", "raw_latency_ms")
    latency_ms, low_ms, high_ms, raw_ms = (float(row[name]) for name in names)
    return Measured(latency_ms, low_ms, high_ms, raw_ms, flags)
