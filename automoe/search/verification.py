"""The budget is a promise: candidates are measured on the device before one is returned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

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
        measured: Everything measured, by architecture.
    """

    winner: Candidate
    certified: bool
    reason: str
    measured: dict[Architecture, Measured]


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
    ) -> dict[Architecture, Measured]:
        """Measure together, interleaved; what failed is missing.

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
        return {a: _measured(rows[a.id]) for a in architectures if a.id in rows}


def verify(
    candidates: Sequence[Candidate],
    settings: SearchSettings,
    *,
    bench: Bench,
    also: Sequence[Architecture] = (),
    on_progress: OnProgress = no_progress,
) -> Verification:
    """Measure the best candidates until one fits, a few at a time.

    What was measured tells how far the predictor is off: candidates whose corrected prediction
    exceeds the budget are passed over.

    Args:
        candidates: At least one, best first.
        settings: Budget and how many to measure.
        bench: Where and how.
        also: Architectures to measure beside the first candidates, such as a baseline.
        on_progress: Called as points are finished.

    Raises:
        ValueError: There is no candidate.
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: Nothing can be measured there.
    """
    if not candidates:
        raise ValueError("'candidates' must hold at least one. Got none.")
    measured: dict[Architecture, Measured] = {}
    tried: list[Candidate] = []
    extra = list(also)
    while together := _next(candidates, tried, measured, settings):
        measured |= bench.measure([*(c.architecture for c in together), *extra], on_progress)
        tried, extra = [*tried, *together], []
        for candidate in tried:
            found = measured.get(candidate.architecture)
            if found and found.fits(settings.budget_ms):
                return Verification(candidate, True, _fits(found, settings), measured)
    n_measured = sum(candidate.architecture in measured for candidate in tried)
    n_failed = len(tried) - n_measured
    reason = (
        f"none of {n_measured} measured candidates has its whole 95 % interval within "
        f"{settings.budget_ms:g} ms"
        + (f", {n_failed} could not be measured" if n_failed else "")
        + "; measure more, or raise the budget or the confidence"
    )
    best = next((c for c in tried if c.architecture in measured), candidates[0])
    return Verification(best, False, reason, measured)


def _next(
    candidates: Sequence[Candidate],
    tried: Sequence[Candidate],
    measured: dict[Architecture, Measured],
    settings: SearchSettings,
) -> list[Candidate]:
    """The best candidates not tried yet that may fit after all."""
    ratios = [
        measured[c.architecture].latency_ms / c.predicted_ms
        for c in tried
        if c.architecture in measured
    ]
    correction = median(ratios) if ratios else 0.0  # before the first measurement all may fit
    left = [
        c
        for c in candidates
        if c not in tried and c.predicted_ms * correction <= settings.budget_ms
    ]
    return left[: min(settings.verify_top, settings.verify_most - len(tried))]


def _fits(found: Measured, settings: SearchSettings) -> str:
    return (
        f"measured {found.latency_ms:.4g} ms, 95 % interval {found.ci_low_ms:.4g} to "
        f"{found.ci_high_ms:.4g} ms, within {settings.budget_ms:g} ms"
    )


def _measured(row: dict[str, str]) -> Measured:
    flags = tuple(flag for flag in row["flags"].split(";") if flag)
    names = ("latency_ms", "ci_low_ms", "ci_high_ms", "raw_latency_ms")
    latency_ms, low_ms, high_ms, raw_ms = (float(row[name]) for name in names)
    return Measured(latency_ms, low_ms, high_ms, raw_ms, flags)
