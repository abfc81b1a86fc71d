"""The budget is a promise: candidates are measured on the device before one is returned."""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass

from automoe.architecture.architecture import Architecture
from automoe.progress import OnProgress, no_progress
from automoe.search.budget_search import Candidate
from automoe.search.certify.bench import Bench, Measured
from automoe.settings.search import SearchSettings


@dataclass(frozen=True, slots=True)
class Verification:
    """What the device said.

    Attributes:
        winner: The best candidate that fits the budget with its whole interval, twice; the best
            one that was measured when none does.
        certified: Whether the winner fits.
        reason: Why it is certified or not, for a person.
        measured: Everything measured, by architecture; None for what failed. Of what was
            measured twice it is the second time.
    """

    winner: Candidate
    certified: bool
    reason: str
    measured: Mapping[Architecture, Measured | None]


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

    Of many candidates at the edge of the budget some seem to fit by chance, and the first that
    does would be chosen for it. So it is measured once more, and has to fit then as well.

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
            return Verification(candidate, True, _why_certified(first, again, settings), measured)
    best = next((c for c in tried if measured[c.architecture]), candidates[0])
    reason = _why_not_certified(measured, set(also), settings, bench)
    return Verification(best, False, reason, measured)


def _chosen(
    candidates: Sequence[Candidate],
    settings: SearchSettings,
    measured: Collection[Architecture],
    also: Sequence[Architecture],
) -> list[Architecture]:
    """Return what to measure together: the best of what is left, as far as more may be measured."""
    fresh = [c.architecture for c in candidates if c.architecture not in measured]
    n_left = settings.verify_most - len(set(measured) - set(also))
    chosen = fresh[: max(0, min(settings.verify_top, n_left))]
    return [*chosen, *(a for a in also if a not in measured)]


def _why_certified(first: Measured, again: Measured, settings: SearchSettings) -> str:
    return (
        f"measured {again.latency_ms:.4g} ms, 95 % interval {again.ci_low_ms:.4g} to "
        f"{again.ci_high_ms:.4g} ms, within {settings.budget_ms:g} ms; "
        f"{first.latency_ms:.4g} ms when it was chosen"
    )


def _why_not_certified(
    measured: Mapping[Architecture, Measured | None],
    also: Container[Architecture],
    settings: SearchSettings,
    bench: Bench,
) -> str:
    """Return why no candidate fits: it is slow, the machine drifted, or nothing was measured."""
    budget_ms = settings.budget_ms
    candidates = {a: found for a, found in measured.items() if a not in also}
    seen = [found for found in candidates.values() if found is not None]
    failed = [a.id for a, found in candidates.items() if found is None]
    reason = (
        f"none of {len(seen)} measured architectures has its whole 95 % interval within "
        f"{budget_ms:g} ms"
    )
    if failed:
        why = bench.failures.get(failed[0], "")
        reason += f", {len(failed)} could not be measured"
        reason += f" ({why.rstrip('.')})" if why else ""
    if drifted_ms := [found.raw_ms for found in seen if found.ci_high_ms <= budget_ms]:
        reason += (
            f"; {len(drifted_ms)} would once corrected for the machine's drift, but as seen took "
            f"{min(drifted_ms):.4g} ms or more: have the machine to yourself and delete the "
            "verification's files to measure again"
        )
    return reason
