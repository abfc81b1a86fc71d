"""Search, measure and fit again in rounds, until a candidate fits or the device time is used up.

Every round measures candidates. Its kind, `RoundKind`, says how it chose them. The kind is written
in the first line of the round's state, so that a killed search is resumed in the same round.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.latency.infeasible_budget import InfeasibleBudgetError, none_left
from automoe.latency.latency_range import Feasibility
from automoe.latency.model import LatencyModel
from automoe.progress import StageReporter, no_progress
from automoe.search.budget_search import Candidate, SearchOutcome, search
from automoe.search.certify.measuring import Bench, Measured
from automoe.search.certify.verification import Verification, verify
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.state import RoundKind, SearchState
from automoe.settings.search import SearchSettings
from devices.shown import Shown

_LATER_SHARE = 0.25  # of the generations, in the searches after the first one


@dataclass(frozen=True, slots=True, repr=False)
class VerifiedSearch(Shown):
    """A search with the measurements of its candidates.

    Attributes:
        outcome: The outcome of the last search.
        verification: The verification, with the measurements of all rounds.
        latency: The predictor of the last search, fitted to the measurements before it as well.
        kinds: The kind of each round, in their order.
    """

    outcome: SearchOutcome
    verification: Verification
    latency: LatencyModel
    kinds: tuple[RoundKind, ...]

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {**self.verification.shown(), "rounds": self.rounds, **self.outcome.shown()}

    @property
    def rounds(self) -> int:
        """The number of rounds."""
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
    """Search, and measure the best candidates until one fits.

    When none of them fits, the predictor is fitted again, with their latencies. Then the search
    continues with the fitness that it knows. When nothing is predicted to fit any more, the
    candidates that are predicted to be the fastest are measured once.

    Args:
        space: The search space.
        settings: The settings of the search, with the limits on measuring.
        latency: The model that predicts milliseconds, with an upper bound.
        evaluator: The function that gives architectures their fitness.
        state: The file of the first search. The files of later ones are beside it.
        bench: The device that measures, and the time that it has spent.
        feasibility: The value of `surveyed`, when it was called before.
        stage: Called with the title of each step. It returns the progress report of the step.

    Raises:
        InfeasibleBudgetError: Nothing is predicted to fit before anything was measured.
        SearchStateError: A state is damaged or belongs to another search.
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
    with state.held():  # also while candidates are measured
        return rounds.run(feasibility)


@dataclass(frozen=True, slots=True)
class _Round:
    """A round of measuring.

    Attributes:
        kind: The way in which the candidates were chosen.
        outcome: The outcome of the last search.
        candidates: The candidates to measure, best first.
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
        """Verify round after round, until a candidate fits or there is a reason to stop."""
        outcome = self._search("Search", self.latency, self.state, feasibility=feasibility)
        this = _Round(RoundKind.FIRST, outcome, outcome.candidates, self.latency)
        kinds: list[RoundKind] = []
        measured: Mapping[Architecture, Measured | None] = {}
        while True:
            kinds.append(this.kind)
            with self.stage("Verify") as on_progress:
                verification = verify(
                    this.candidates,
                    self.settings,
                    bench=self.bench,
                    known=measured,
                    also=self.bench.also,
                    on_progress=on_progress,
                )
            if not verification.certified:
                is_new = len(verification.measured) > len(measured)
                following = self._next_round(this, verification, n=len(kinds), is_new=is_new)
                if isinstance(following, _Round):
                    this, measured = following, verification.measured
                    continue
                verification = replace(verification, reason=f"{verification.reason}; {following}")
            return VerifiedSearch(this.outcome, verification, this.latency, tuple(kinds))

    def _next_round(
        self, this: _Round, verification: Verification, *, n: int, is_new: bool
    ) -> _Round | str:
        """Return the round after one in which nothing fits, or the reason why there is none.

        Args:
            this: The round in which nothing fits.
            verification: The verification of this round.
            n: The number of the next round, counted from 0.
            is_new: Whether this round measured anything.
        """
        measured = verification.measured
        measured_ms = {a: m.latency_ms for a, m in measured.items() if m is not None}
        if (reason := self._stop_reason(measured, is_new=is_new)) is not None:
            return reason
        state = self.state.of_round(n, measured_ms)
        begun = state.begun()
        # A round that had begun when the process was stopped is resumed, whatever time it took.
        if begun is None and self.bench.seconds >= 60 * self.settings.device_minutes:
            return (
                f"the {self.settings.device_minutes:g} minutes of device time are used up; raise "
                "'device_minutes', or search with a larger budget into another output"
            )
        latency = self.latency
        if measured_ms:
            latency = latency.refitted(list(measured_ms), list(measured_ms.values()))
        if begun is not RoundKind.NEAREST:
            known = {c.architecture: c.loss for c in this.outcome.candidates}
            with suppress(InfeasibleBudgetError):
                outcome = self._search("Search on", latency, state, known=known)
                return _Round(RoundKind.SEARCHED_ON, outcome, outcome.candidates, latency)
        # A bound far from all measurements is a guess, so the nearest ones are measured once.
        nearest = self._nearest(this.outcome.candidates, measured, latency)
        if this.kind is RoundKind.NEAREST or not nearest:
            return none_left(self.space.name, min(measured_ms.values(), default=None))
        if begun is None:
            state.begin(RoundKind.NEAREST)
        return _Round(RoundKind.NEAREST, this.outcome, nearest, latency)

    def _search(
        self,
        title: str,
        latency: LatencyModel,
        state: SearchState,
        *,
        known: Mapping[Architecture, float] | None = None,
        feasibility: Feasibility | None = None,
    ) -> SearchOutcome:
        """Search; with ``known`` fitness in fewer generations, as good candidates are known."""
        settings = self.settings
        if known is not None:
            fewer = min(max(2, round(settings.generations * _LATER_SHARE)), settings.generations)
            settings = settings.model_copy(update={"generations": fewer})
        with self.stage(title) as on_progress:
            return search(
                self.space,
                settings,
                latency=latency,
                evaluator=self.evaluator,
                state=state,
                known=known,
                feasibility=feasibility,
                on_progress=on_progress,
            )

    def _nearest(
        self,
        candidates: Sequence[Candidate],
        measured: Container[Architecture],
        latency: LatencyModel,
    ) -> tuple[Candidate, ...]:
        """Return the candidates that were not measured and have the lowest bounds, best first."""
        left = [c for c in candidates if c.architecture not in measured]
        if not left:
            return ()
        settings = self.settings
        upper_ms = latency.upper_ms([c.architecture for c in left], confidence=settings.confidence)
        nearest = [left[i] for i in upper_ms.argsort(kind="stable")[: settings.verify_top]]
        return tuple(sorted(nearest, key=lambda candidate: candidate.loss))

    def _stop_reason(self, measured: Collection[Architecture], *, is_new: bool) -> str | None:
        """Return why no further candidate may be measured; None when one may."""
        if not is_new:
            return "the search found no other candidate"
        most = self.settings.verify_most
        if len(measured) - len(self.bench.also) >= most:
            return f"raise 'verify_most' {most}, or search with a larger budget into another output"
        return None
