"""A search whose files are open, with and without a device."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.cli.console import progress_bar, say
from automoe.latency.model import LatencyModel
from automoe.search import (
    Bench,
    Evaluator,
    Measured,
    SearchOutcome,
    SearchSettings,
    result_of,
    search,
)
from automoe.search.certify.verified_search import verified_search
from automoe.search.state import SearchState
from devices import Device, DeviceInfo
from profilers import Protocol

OpensDevice = Callable[[], AbstractContextManager[Device]]
Found = tuple[SearchOutcome, Mapping[Architecture, Measured | None], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSearch:
    """What a search needs, and where it keeps what it finds.

    Attributes:
        space: Where to search.
        settings: How.
        latency: Predicts milliseconds.
        evaluator: Gives architectures their fitness.
        objective: What the fitness is.
        fingerprint: Tells this search from others.
        out: The result; all other files are beside it and begin with its name.
    """

    space: SearchSpace
    settings: SearchSettings
    latency: LatencyModel
    evaluator: Evaluator
    objective: str
    fingerprint: str
    out: Path

    def predicted(self) -> Found:
        """What was found, and the result without a measurement."""
        with progress_bar("Search") as on_progress:
            outcome = search(
                self.space,
                self.settings,
                latency=self.latency,
                evaluator=self.evaluator,
                state=self._state(),
                on_progress=on_progress,
            )
        result = result_of(
            outcome.candidates[0],
            self.settings,
            space=self.space,
            workload=self.latency.workload,
            certified=False,
            reason="not measured; give --device to have the budget verified",
            measured=None,
            device=None,
            objective=self.objective,
        )
        return outcome, {}, result

    def certified(self, opened: OpensDevice, info: DeviceInfo, runtime: str) -> Found:
        """What was found, and the result as the device judges it.

        Args:
            opened: Opens the device for as long as it is measured.
            info: What it is.
            runtime: What it is measured with.
        """
        fitted_on = self.latency.predictor.conditions.get("device_fingerprint", info.fingerprint)
        if fitted_on != info.fingerprint:
            say(f"The predictor was fitted on device {fitted_on}; this one is {info.fingerprint}.")
        searched = verified_search(
            self.space,
            self.settings,
            latency=self.latency,
            evaluator=self.evaluator,
            state=self._state(),
            bench=self._bench(opened, info, runtime),
            stage=progress_bar,
        )
        verification = searched.verification
        result = result_of(
            verification.winner,
            self.settings,
            space=self.space,
            workload=self.latency.workload,
            certified=verification.certified,
            reason=verification.reason,
            measured=verification.measured.get(verification.winner.architecture),
            device=info.to_dict(),
            objective=self.objective,
        )
        result["n_measured"] = len(verification.measured)
        result["search_rounds"] = searched.rounds
        return searched.outcome, verification.measured, result

    def _beside(self, suffix: str) -> Path:
        """A file of this result's own, whatever dots its name has."""
        return self.out.with_name(f"{self.out.name}.{suffix}")

    def _state(self) -> SearchState:
        return SearchState(self._beside("state.jsonl"), self.fingerprint)

    def _bench(self, opened: OpensDevice, info: DeviceInfo, runtime: str) -> Bench:
        threads = int(float(self.latency.predictor.conditions.get("threads", "1")))
        return Bench(
            opened=opened,
            info=info,
            protocol=Protocol.verification(budget_ms=self.settings.budget_ms, threads=threads),
            workload=self.latency.workload,
            space=self.space,
            log=self._beside("verification.csv"),
            graphs=self._beside("graphs"),
            runtime=runtime,
        )
