"""Search, measure, learn from it and search on, until something fits or the device time is up."""

from collections.abc import Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import count

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.budget import InfeasibleBudgetError
from automoe.latency.model import LatencyModel
from automoe.progress import StageReporter, no_progress
from automoe.search.budget_search import Candidate, SearchOutcome, search
from automoe.search.certify.bench import Bench, Measured
from automoe.search.certify.verification import Verification, verify
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.state import SearchState
from automoe.settings.search import SearchSettings

# A search that goes on knows good candidates already.
_LATER_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class VerifiedSearch:
    """What a search found and the device confirmed.

    Attributes:
        outcome: Of the last round of the search.
        verification: The device's verdict on all rounds.
        latency: The predictor, with what was measured.
        rounds: How often it was searched.
    """

    outcome: SearchOutcome
    verification: Verification
    latency: LatencyModel
    rounds: int


def verified_search(
    space: SearchSpace,
    settings: SearchSettings,
    *,
    latency: LatencyModel,
    evaluator: Evaluator,
    state: SearchState,
    bench: Bench,
    also: Sequence[Architecture] = (),
    stage: StageReporter | None = None,
) -> VerifiedSearch:
    """Search, and measure the best until one fits.

    After each verdict against all of them the predictor is fitted to what was measured as well,
    and the search goes on from what it has evaluated. Where nothing is predicted to fit any more,
    what is predicted to be the fastest is measured all the same.

    Args:
        space: Where to search.
        settings: How; with the limits on what is measured.
        latency: Predicts milliseconds, with an upper bound.
        evaluator: Gives architectures their fitness.
        state: Where the first search's generations are kept; those of later ones go beside it.
        bench: Where and how candidates are measured, and the time that took so far.
        also: Architectures to measure beside the first candidates, such as a baseline.
        stage: Called with the title of each step; gives where to report its progress.

    Raises:
        InfeasibleBudgetError: Nothing is predicted to fit before anything was measured.
        SearchStateError: A state is damaged or of another search.
        DeviceUnavailableError, ProfilingError, LogError: Nothing can be measured.
    """
    stage = stage or (lambda title: nullcontext(no_progress))
    first = latency
    with state.held():  # measuring takes long, and another search must not read half of it
        with stage("Search") as on_progress:
            outcome = search(
                space,
                settings,
                latency=latency,
                evaluator=evaluator,
                state=state,
                on_progress=on_progress,
            )
        measured: Mapping[Architecture, Measured | None] = {}
        ended, candidates = None, outcome.candidates
        for n in count(1):
            with stage("Verify") as on_progress:
                verification = verify(
                    candidates,
                    settings,
                    bench=bench,
                    known=measured,
                    also=also,
                    on_progress=on_progress,
                )
            if verification.certified:
                break
            measured_ms = {
                a: m.latency_ms for a, m in verification.measured.items() if m is not None
            }
            ended = _why_over(settings, verification, len(also), len(measured))
            measured = verification.measured
            if ended is not None:
                break
            later = state.of_round(n, measured_ms)
            # A search that had gone on when it was stopped has spent time since, and goes on again.
            has_gone_on = bool(later.load())
            if not has_gone_on and bench.seconds >= 60 * settings.device_minutes:
                ended = _time_is_up(settings)
                break
            latency = _learnt(first, measured_ms)
            try:
                with stage("Search on") as on_progress:
                    outcome = search(
                        space,
                        _later(settings),
                        latency=latency,
                        evaluator=evaluator,
                        state=later,
                        known={c.architecture: c.loss for c in outcome.candidates},
                        on_progress=on_progress,
                    )
                candidates = outcome.candidates
            except InfeasibleBudgetError:
                # A bound far from what was measured is a guess; once, the device is asked instead.
                fastest = _fastest(outcome.candidates, measured, latency, settings)
                if candidates is not outcome.candidates or not fastest:
                    ended = _nothing_else(space, measured_ms)
                    break
                candidates = fastest
                if not has_gone_on:
                    later.append({})  # it has gone on, whatever time will have been used up
    if ended is not None:
        verification = replace(verification, reason=f"{verification.reason}; {ended}")
    return VerifiedSearch(outcome, verification, latency, rounds=n)


def _why_over(
    settings: SearchSettings,
    verification: Verification,
    n_also: int,
    n_before: int,
) -> str | None:
    """Why nothing more is measured although nothing fits; None to go on."""
    most, n_measured = settings.verify_most, len(verification.measured)
    if n_measured == n_before:
        return "the search found no other candidate"
    if n_measured - n_also >= most:
        return f"raise 'verify_most' {most}, or search with a larger budget into another output"
    return None


def _time_is_up(settings: SearchSettings) -> str:
    return (
        f"the {settings.device_minutes:g} minutes of device time are used up; raise "
        "'device_minutes', or search with a larger budget into another output"
    )


def _learnt(first: LatencyModel, measured_ms: Mapping[Architecture, float]) -> LatencyModel:
    """The predictor fitted to everything measured so far."""
    return first.refitted(list(measured_ms), list(measured_ms.values())) if measured_ms else first


def _later(settings: SearchSettings) -> SearchSettings:
    generations = max(2, round(settings.generations * _LATER_SHARE))
    return settings.model_copy(update={"generations": min(generations, settings.generations)})


def _fastest(
    candidates: Sequence[Candidate],
    measured: Container[Architecture],
    latency: LatencyModel,
    settings: SearchSettings,
) -> tuple[Candidate, ...]:
    """Those not measured yet that may fit although the bound says no; best first."""
    left = [c for c in candidates if c.architecture not in measured]
    if not left:
        return ()
    upper_ms = latency.upper_ms([c.architecture for c in left], confidence=settings.confidence)
    nearest = [left[i] for i in upper_ms.argsort(kind="stable")[: settings.verify_top]]
    return tuple(sorted(nearest, key=lambda candidate: candidate.loss))


def _nothing_else(space: SearchSpace, measured_ms: Mapping[Architecture, float]) -> str:
    """That the search is at its end, and what is known to be possible."""
    said = f"with these measurements no other architecture of '{space.name}' is predicted to fit"
    if measured_ms:
        said += f"; the fastest measured took {min(measured_ms.values()):.4g} ms"
    return said
