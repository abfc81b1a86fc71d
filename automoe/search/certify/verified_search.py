"""Search, measure, learn from it and search on, until something fits or the device time is up.

Every round measures candidates. How it came by them is its kind, `RoundKind`, which is written at
the head of the round's state, so that a killed search resumes as it would have gone on.
"""

from collections.abc import Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.budget import Feasibility, InfeasibleBudgetError
from automoe.latency.model import LatencyModel
from automoe.progress import StageReporter, no_progress
from automoe.search.budget_search import Candidate, SearchOutcome, search
from automoe.search.certify.bench import Bench, Measured
from automoe.search.certify.verification import Verification, verify
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.state import RoundKind, SearchState
from automoe.settings.search import SearchSettings

# A search that goes on knows good candidates already.
_LATER_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class VerifiedSearch:
    """What a search found and the device confirmed.

    Attributes:
        outcome: Of the last search.
        verification: The device's verdict on all rounds.
        latency: The predictor of the last search, with what was measured before it.
        kinds: The kind of each round, in their order.
    """

    outcome: SearchOutcome
    verification: Verification
    latency: LatencyModel
    kinds: tuple[RoundKind, ...]

    @property
    def rounds(self) -> int:
        """How often candidates were verified."""
        return len(self.kinds)


def verified_search(
    space: SearchSpace,
    settings: SearchSettings,
    *,
    latency: LatencyModel,
    evaluator: Evaluator,
    state: SearchState,
    bench: Bench,
    feasibility: Feasibility | None = None,
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
        feasibility: What `surveyed` returned, where it was called before.
        stage: Called with the title of each step; gives where to report its progress.

    Raises:
        InfeasibleBudgetError: Nothing is predicted to fit before anything was measured.
        SearchStateError: A state is damaged or of another search.
        DeviceUnavailableError, ProfilingError, LogError: Nothing can be measured.
    """
    rounds = _Rounds(
        space=space,
        settings=settings,
        latency=latency,
        evaluator=evaluator,
        state=state,
        bench=bench,
        stage=stage or (lambda title: nullcontext(no_progress)),
    )
    with state.held():  # measuring takes long, and another search must not read half of it
        return rounds.run(feasibility)


@dataclass(frozen=True, slots=True)
class _Round:
    """One round: what was searched last, and what is measured now.

    Attributes:
        kind: How the candidates were chosen.
        outcome: Of the last search.
        candidates: What to measure, best first.
        latency: The predictor of the last search.
    """

    kind: RoundKind
    outcome: SearchOutcome
    candidates: tuple[Candidate, ...]
    latency: LatencyModel


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rounds:
    """The rounds of one verified search; the attributes are the arguments of `verified_search`."""

    space: SearchSpace
    settings: SearchSettings
    latency: LatencyModel
    evaluator: Evaluator
    state: SearchState
    bench: Bench
    stage: StageReporter

    def run(self, feasibility: Feasibility | None) -> VerifiedSearch:
        """Verify round after round, until something fits or there is a reason to stop."""
        this, kinds = self._first_round(feasibility), []
        measured: Mapping[Architecture, Measured | None] = {}
        while True:
            kinds.append(this.kind)
            verification = self._verified(this, measured)
            if not verification.certified:
                is_new = len(verification.measured) > len(measured)
                following = self._next_round(this, verification, n=len(kinds), is_new=is_new)
                if isinstance(following, _Round):
                    this, measured = following, verification.measured
                    continue
                verification = replace(verification, reason=f"{verification.reason}; {following}")
            return VerifiedSearch(this.outcome, verification, this.latency, tuple(kinds))

    def _first_round(self, feasibility: Feasibility | None) -> _Round:
        with self.stage("Search") as on_progress:
            outcome = search(
                self.space,
                self.settings,
                latency=self.latency,
                evaluator=self.evaluator,
                state=self.state,
                feasibility=feasibility,
                on_progress=on_progress,
            )
        return _Round(RoundKind.FIRST, outcome, outcome.candidates, self.latency)

    def _verified(
        self, this: _Round, measured: Mapping[Architecture, Measured | None]
    ) -> Verification:
        with self.stage("Verify") as on_progress:
            return verify(
                this.candidates,
                self.settings,
                bench=self.bench,
                known=measured,
                also=self.bench.also,
                on_progress=on_progress,
            )

    def _next_round(
        self, this: _Round, verification: Verification, *, n: int, is_new: bool
    ) -> _Round | str:
        """Return the round after one in which nothing fits, or why there is none.

        Args:
            this: The round.
            verification: The verdict on it.
            n: The number of the next round, counted from 0.
            is_new: Whether this round measured anything.
        """
        ended = self._why_over(verification, is_new=is_new)
        if ended is not None:
            return ended
        measured = verification.measured
        measured_ms = {a: m.latency_ms for a, m in measured.items() if m is not None}
        state = self.state.of_round(n, measured_ms)
        begun = state.begun()
        # A round that had begun when the search was stopped has spent time since, and goes on.
        if begun is None and self.bench.seconds >= 60 * self.settings.device_minutes:
            return self._time_is_up()
        latency = _learnt(self.latency, measured_ms)
        outcome = (
            None if begun is RoundKind.NEAREST else self._searched_on(this.outcome, latency, state)
        )
        if outcome is not None:
            return _Round(RoundKind.SEARCHED_ON, outcome, outcome.candidates, latency)
        # A bound far from what was measured is a guess; once, the device is asked instead.
        nearest = self._nearest(this.outcome.candidates, measured, latency)
        if this.kind is RoundKind.NEAREST or not nearest:
            return self._nothing_else(measured_ms)
        if begun is None:
            state.begin(RoundKind.NEAREST)
        return _Round(RoundKind.NEAREST, this.outcome, nearest, latency)

    def _searched_on(
        self, before: SearchOutcome, latency: LatencyModel, state: SearchState
    ) -> SearchOutcome | None:
        """Search on from what was evaluated; None when nothing is predicted to fit any more."""
        try:
            with self.stage("Search on") as on_progress:
                return search(
                    self.space,
                    _later(self.settings),
                    latency=latency,
                    evaluator=self.evaluator,
                    state=state,
                    known={c.architecture: c.loss for c in before.candidates},
                    on_progress=on_progress,
                )
        except InfeasibleBudgetError:
            return None

    def _nearest(
        self,
        candidates: Sequence[Candidate],
        measured: Container[Architecture],
        latency: LatencyModel,
    ) -> tuple[Candidate, ...]:
        """Return those not measured yet whose bounds are the lowest, best first."""
        left = [c for c in candidates if c.architecture not in measured]
        if not left:
            return ()
        settings = self.settings
        upper_ms = latency.upper_ms([c.architecture for c in left], confidence=settings.confidence)
        nearest = [left[i] for i in upper_ms.argsort(kind="stable")[: settings.verify_top]]
        return tuple(sorted(nearest, key=lambda candidate: candidate.loss))

    def _why_over(self, verification: Verification, *, is_new: bool) -> str | None:
        """Return why nothing more is measured although nothing fits; None to go on."""
        if not is_new:
            return "the search found no other candidate"
        most = self.settings.verify_most
        if len(verification.measured) - len(self.bench.also) >= most:
            return f"raise 'verify_most' {most}, or search with a larger budget into another output"
        return None

    def _time_is_up(self) -> str:
        return (
            f"the {self.settings.device_minutes:g} minutes of device time are used up; raise "
            "'device_minutes', or search with a larger budget into another output"
        )

    def _nothing_else(self, measured_ms: Mapping[Architecture, float]) -> str:
        """Say that the search is at its end, and what is known to be possible."""
        said = (
            f"with these measurements no other architecture of '{self.space.name}' is predicted "
            "to fit"
        )
        if measured_ms:
            said += f"; the fastest measured took {min(measured_ms.values()):.4g} ms"
        return said


def _learnt(first: LatencyModel, measured_ms: Mapping[Architecture, float]) -> LatencyModel:
    """Return the predictor fitted to everything measured so far."""
    return first.refitted(list(measured_ms), list(measured_ms.values())) if measured_ms else first


def _later(settings: SearchSettings) -> SearchSettings:
    """Return the settings of a search that goes on, which has fewer generations."""
    generations = max(2, round(settings.generations * _LATER_SHARE))
    return settings.model_copy(update={"generations": min(generations, settings.generations)})
