"""Keep the promise of the budget: measure candidates on the device before one is returned."""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass

from automoe.architecture.architecture import Architecture
from automoe.progress import OnProgress, no_progress
from automoe.search.budget_search import Candidate
from automoe.search.certify.measuring import Bench, Measured
from automoe.settings.search import SearchSettings
from devices.rounding import rounded, rounded_down, rounded_up
from devices.shown import Shown
from profilers.measuring.disturbance import CONTENDED


@dataclass(frozen=True, slots=True, repr=False)
class Verification(Shown):
    """The winner of a search, and the measurements that chose it.

    Attributes:
        winner: The best candidate whose whole interval is within the budget, twice. When there is
            none, the best one that was measured.
        certified: Whether the winner fits.
        reason: The reason why it is certified or not, for the user.
        measured: The measurement of each architecture, the second one where there are two; None
            for an architecture that failed.
    """

    winner: Candidate
    certified: bool
    reason: str
    measured: Mapping[Architecture, Measured | None]

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        latency = self.measured.get(self.winner.architecture)
        return {
            "architecture": self.winner.architecture.id,
            "latency": latency
            and f"{rounded(latency.latency_ms)} ms ({rounded_down(latency.ci_low_ms)} to "
            f"{rounded_up(latency.ci_high_ms)})",
            "certified": "yes" if self.certified else "no",
            "reason": self.reason,
            **({"flags": ", ".join(latency.flags)} if latency and latency.flags else {}),
            "measured": f"{sum(each is not None for each in self.measured.values())} architectures",
        }


def verify(
    candidates: Sequence[Candidate],
    settings: SearchSettings,
    *,
    bench: Bench,
    known: Mapping[Architecture, Measured | None] | None = None,
    also: Sequence[Architecture] = (),
    on_progress: OnProgress = no_progress,
) -> Verification:
    """Measure the best candidates that were not measured before, and judge all measured ones.

    When many candidates are close to the budget, some seem to fit by chance. So the first one
    that fits is measured again, and must fit again.

    Args:
        candidates: The candidates, at least one, best first.
        settings: The budget, and how many candidates to measure.
        bench: The device and its protocol.
        known: The measurements of earlier rounds.
        also: Architectures to measure beside the candidates, such as a baseline.
        on_progress: Called as points are finished.

    Raises:
        ValueError: There is no candidate.
        DeviceUnavailableError: The device cannot be used.
        ProfilingError: Nothing can be measured there.
        LogError: A log holds measurements of other conditions, or of another budget.
    """
    if not candidates:
        raise ValueError("'candidates' must hold at least one. Got none.")
    measured = dict(known or {})
    together = _chosen(candidates, settings, measured, also)
    if together:
        measured |= bench.measure(together, on_progress)
    tried = [c for c in candidates if c.architecture in measured]
    for candidate in tried:
        first = measured[candidate.architecture]
        if first is None or not first.fits(settings.budget_ms):
            continue
        again = bench.measure_again(candidate.architecture, on_progress)
        measured[candidate.architecture] = again
        if again is not None and again.fits(settings.budget_ms):
            reason = _why_certified(candidate, first, again, settings)
            return Verification(candidate, True, reason, measured)
    best = next((c for c in tried if measured[c.architecture]), candidates[0])
    reason = _why_not_certified(measured, set(also), settings, bench)
    return Verification(best, False, reason, measured)


def _chosen(
    candidates: Sequence[Candidate],
    settings: SearchSettings,
    measured: Collection[Architecture],
    also: Sequence[Architecture],
) -> list[Architecture]:
    """Return what to measure together: the best candidates left, within the limits."""
    fresh = [c.architecture for c in candidates if c.architecture not in measured]
    n_left = settings.verify_most - len(set(measured) - set(also))
    chosen = fresh[: max(0, min(settings.verify_top, n_left))]
    return [*chosen, *(a for a in also if a not in measured)]


def _why_certified(
    winner: Candidate, first: Measured, again: Measured, settings: SearchSettings
) -> str:
    missed = ""
    if again.ci_low_ms > winner.upper_ms:
        missed = (
            f"; all of this interval is above the predictor's bound of "
            f"{rounded_up(winner.upper_ms)} ms, so do not rely on its other bounds"
        )
    return (
        f"measured {rounded(again.latency_ms)} ms, 95 % interval "
        f"{rounded_down(again.ci_low_ms)} to {rounded_up(again.ci_high_ms)} ms, "
        f"within {rounded_up(settings.budget_ms)} ms; "
        f"{rounded(first.latency_ms)} ms when it was chosen{missed}"
    )


def _why_not_certified(
    measured: Mapping[Architecture, Measured | None],
    also: Container[Architecture],
    settings: SearchSettings,
    bench: Bench,
) -> str:
    """Return why no candidate fits: all are slow, the machine drifted, or nothing was measured."""
    budget_ms = settings.budget_ms
    candidates = {a: latency for a, latency in measured.items() if a not in also}
    seen = [latency for latency in candidates.values() if latency is not None]
    failed = [a.id for a, latency in candidates.items() if latency is None]
    reason = (
        f"none of {len(seen)} measured architectures has its whole 95 % interval within "
        f"{rounded_up(budget_ms)} ms"
    )
    if failed:
        why = bench.failures.get(failed[0], "")
        reason += f", {len(failed)} could not be measured"
        reason += f" ({why.rstrip('.')})" if why else ""
    if drifted_ms := [latency.raw_ms for latency in seen if latency.ci_high_ms <= budget_ms]:
        reason += (
            f"; {len(drifted_ms)} fit once corrected for the machine's drift, but took "
            f"{rounded(min(drifted_ms))} ms or more uncorrected: have the machine to yourself and "
            f"delete the measurements to measure again: {bench.deletion}"
        )
    return reason + _of_load(seen, bench)


def _of_load(seen: Sequence[Measured], bench: Bench) -> str:
    """Return what to do about other programs, when they ran in most of the measurements."""
    n_contended = sum(CONTENDED in latency.flags for latency in seen)
    if 2 * n_contended <= len(seen):
        return ""
    return (
        f"; other programs used the cores while {n_contended} of {len(seen)} were measured, which "
        f"makes them look slow: end those programs, then measure again: {bench.deletion}"
    )
