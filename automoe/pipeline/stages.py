"""The stages of a run. Each keeps what it finishes, so a killed run is continued by the same call.

profile -> fit -> supernet -> search -> verify -> finetune -> evaluate -> report
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.latency.model import LatencyModel
from automoe.latency.profiling import profile_architectures
from automoe.pipeline.config import ConfigError, RunConfig
from automoe.pipeline.finished import n_profiled
from automoe.pipeline.reporting import draw_report, keep_candidates
from automoe.pipeline.run_files import (
    ARCHITECTURE,
    LATENCY_LOG,
    PREDICTOR,
    RESULT,
    SEARCH_STATE,
    SUPERNET,
    VERIFICATION,
)
from automoe.pipeline.sample import profile_protocol, profiled_architectures
from automoe.progress import StageReporter, no_progress
from automoe.search import (
    Evaluator,
    FitnessCache,
    SearchSettings,
    SupernetFitness,
    VerifiedSearch,
    Workers,
    describe,
    feasibility_of,
    front_of,
    preflight_line,
    require_feasible,
    result_of,
    search_fingerprint,
    supernet_fitness,
    workers,
)
from automoe.search.certify.bench import Bench
from automoe.search.certify.verified_search import verified_search
from automoe.search.state import SearchState
from automoe.search.workers.pool import HERE, require_cluster
from automoe.text import ParallelText, open_corpus
from automoe.training import ONNX, finetune, train_supernet
from automoe.training.model_folder import TrainedModel
from automoe.translation import Translator, evaluate
from devices.files import held, write_json
from devices.opening import opened_device
from devices.remote.host import say_nothing
from devices.remote.session import Say
from predictors import fit_log
from profilers import Protocol


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run left behind.

    Attributes:
        result: The content of ``result.json``.
        result_path: That file.
        report_path: The page.
    """

    result: dict[str, Any]
    result_path: Path
    report_path: Path


def run(
    config: RunConfig, *, stage: StageReporter | None = None, say: Say = say_nothing
) -> RunSummary:
    """Run every stage, or what is left of them.

    Args:
        config: What to do.
        stage: Called with each stage's title; gives where to report its progress.
        say: Told what the space offers, and when the connection to the device is lost and back.

    Raises:
        ConfigError: The folder belongs to another configuration, or another run is at it.
        DeviceUnavailableError: The device or the cluster cannot be used; nothing was done.
        InfeasibleBudgetError: No architecture is predicted to fit the budget.
        ValueError: Text, space or a file of the run cannot be used.
    """
    return _Run(config, stage or (lambda title: nullcontext(no_progress)), say).go()


class _Run:
    """The values that stages hand on."""

    def __init__(self, config: RunConfig, stage: StageReporter, say: Say) -> None:
        self.config = config
        self.stage = stage
        self.say = say
        self.folder = config.folder
        self.space = config.space.open()
        self.workload = config.workload.of(self.space)
        self.corpus = open_corpus(
            config.data.folder, source=config.data.source, target=config.data.target
        )
        # For as long as it is measured only: trainings take days.
        self.opened = partial(opened_device, config.device, config.host, say=say)
        self.baseline = self.space.largest(experts=1)

    def go(self) -> RunSummary:
        with self.opened(is_measured=False) as device:
            self.device_info = device.info()
        require_cluster(self.config.search.cluster)
        with _held(self.folder):
            return self._stages()

    def _stages(self) -> RunSummary:
        self.config.claim()
        self._profile()
        latency = self._fit()
        settings = self._feasible_settings(latency)
        self._train()
        with workers(self.config.search.jobs, self.config.search.cluster) as found:
            searched = self._search(latency, settings, found)
        models = {"winner": searched.verification.winner.architecture, "baseline": self.baseline}
        for name, architecture in models.items():
            self._finetune(name, architecture)
        scores = {name: self._evaluate(name, a) for name, a in models.items()}
        result = self._result(searched, settings, scores)
        write_json(self.folder / RESULT, result)
        return self._report(result)

    def _profile(self) -> None:
        done, total = n_profiled(self.config, self.space)
        opened = self.opened(is_measured=done < total)
        with self.stage("Profile") as on_progress, opened as device:
            profile_architectures(
                profiled_architectures(self.config, self.space),
                device=device,
                protocol=profile_protocol(self.config),
                workload=self.workload,
                log=self.folder / LATENCY_LOG,
                space=self.space,
                graphs=self.folder / "graphs",
                on_progress=on_progress,
            )

    def _fit(self) -> LatencyModel:
        path = self.folder / PREDICTOR
        with self.stage("Fit") as on_progress:
            if not path.exists():
                on_progress(0, 1)
                fit_log(self.folder / LATENCY_LOG, seed=self.config.seed).save(path)
            on_progress(1, 1)
        return LatencyModel.open(path)

    def _train(self) -> None:
        with self.stage("Supernet") as on_progress:
            train_supernet(
                self.space,
                self.corpus,
                self.config.train,
                folder=self._supernet,
                on_progress=on_progress,
            )

    @property
    def _supernet(self) -> Path:
        return self.folder / SUPERNET

    def _feasible_settings(self, latency: LatencyModel) -> SearchSettings:
        """The search's settings; what cannot fit is refused before a supernet is trained for it."""
        confidence = self.config.search.confidence
        bounds = latency.predict([self.baseline], confidence=confidence)
        settings = self.config.search.settings(float(bounds["predicted_ms"].iloc[0]))
        feasibility = require_feasible(self.space, settings, latency)
        preflight = feasibility_of(feasibility, latency, confidence)
        is_slack = feasibility.is_slack(settings.budget_ms)
        self.say(preflight_line(preflight, settings, self.space, is_slack=is_slack))
        return settings

    def _search(
        self, latency: LatencyModel, settings: SearchSettings, found: Workers
    ) -> VerifiedSearch:
        threads, seed = self.config.profile.threads, self.config.seed
        bench = Bench(
            opened=self.opened,
            info=self.device_info,
            protocol=Protocol.verification(
                budget_ms=settings.budget_ms, threads=threads, seed=seed
            ),
            workload=self.workload,
            space=self.space,
            log=self.folder / VERIFICATION,
            graphs=self.folder / "graphs",
        )
        fingerprint = search_fingerprint(
            settings,
            self._fitness(settings),
            predictor=self.folder / PREDICTOR,
            supernet=self._supernet,
        )
        searched = verified_search(
            self.space,
            settings,
            latency=latency,
            evaluator=self._evaluator(settings, found),
            state=SearchState(self.folder / SEARCH_STATE, fingerprint),
            bench=bench,
            also=[self.baseline],
            stage=self.stage,
        )
        keep_candidates(self.folder, searched.outcome.candidates)
        return searched

    def _fitness(self, settings: SearchSettings) -> tuple[SupernetFitness, ...]:
        return supernet_fitness(self._supernet, self.corpus, settings.halvings)

    def _evaluator(self, settings: SearchSettings, found: Workers = HERE) -> Evaluator:
        return Evaluator(
            *self._fitness(settings),
            cache=FitnessCache(self.folder / "fitness.jsonl"),
            workers=found,
        )

    def _finetune(self, name: str, architecture: Architecture) -> None:
        with self.stage(f"Finetune {name}") as on_progress:
            finetune(
                architecture,
                self.corpus,
                self.config.finetune,
                folder=_claimed_folder(architecture, self.folder / name),
                supernet=TrainedModel.load(self._supernet),
                on_progress=on_progress,
            )

    def _evaluate(self, name: str, architecture: Architecture) -> dict[str, Any]:
        path = self.folder / name / "evaluation.json"
        settings = self.config.evaluate
        with self.stage(f"Evaluate {name}") as on_progress:
            if path.exists() and _read(path).get("architecture_id") == architecture.id:
                on_progress(1, 1)
            else:
                translator = Translator.open(
                    self.folder / name / ONNX,
                    beam=settings.beam,
                    length_penalty=settings.length_penalty,
                    threads=self.config.profile.threads,
                )
                text = self.corpus.split("test")
                n = settings.sentences or len(text)
                score = evaluate(
                    translator,
                    ParallelText(text.source[:n], text.target[:n]),
                    on_progress=on_progress,
                )
                write_json(path, {"architecture_id": architecture.id, **score.to_dict()})
        return _read(path)

    def _result(
        self,
        searched: VerifiedSearch,
        settings: SearchSettings,
        scores: dict[str, dict[str, Any]],
    ) -> dict[str, Any]:
        verification, latency = searched.verification, searched.latency
        winner = verification.winner
        result = result_of(
            winner,
            settings,
            space=self.space,
            workload=self.workload,
            certified=verification.certified,
            reason=verification.reason,
            measured=verification.measured.get(winner.architecture),
            device=self.device_info.to_dict(),
        )
        bounds = latency.predict([self.baseline], confidence=settings.confidence)
        baseline = describe(
            self.baseline,
            self.workload,
            bounds={str(k): float(v) for k, v in bounds.iloc[0].items()},
            measured=verification.measured.get(self.baseline),
        )
        return {
            **result,
            "n_evaluated": searched.outcome.n_evaluated,
            "predicted_on": latency.predictor.conditions,
            "feasibility": feasibility_of(
                searched.outcome.feasibility, latency, settings.confidence
            ),
            **(self._front(searched, settings) if settings.pareto else {}),
            **_quality(scores["winner"]),
            "baseline": {**baseline, **_quality(scores["baseline"])},
        }

    def _front(self, searched: VerifiedSearch, settings: SearchSettings) -> dict[str, Any]:
        return front_of(
            searched.outcome,
            space=self.space,
            evaluator=self._evaluator(settings),
            budget_ms=settings.budget_ms,
            measured=searched.verification.measured,
        )

    def _report(self, result: dict[str, Any]) -> RunSummary:
        path = self.folder / "report.html"
        with self.stage("Report") as on_progress:
            draw_report(self.folder, path)
            on_progress(1, 1)
        return RunSummary(result, self.folder / RESULT, path)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep another run out: it could find another winner, and train it into the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    refusal = ConfigError(
        f"'{folder}' is being written by another run. Wait for it to end, or give this one "
        "another 'name'."
    )
    with held(folder / "run.lock", refusal):
        yield


def _claimed_folder(architecture: Architecture, folder: Path) -> Path:
    """The folder, for this architecture; what was trained there of another one is set aside."""
    note = folder / ARCHITECTURE
    if note.exists() and (other := Architecture.from_dict(_read(note))) != architecture:
        folder.rename(folder.with_name(f"{folder.name}-{other.id}"))
    before = folder.with_name(f"{folder.name}-{architecture.id}")
    if before.exists() and not folder.exists():
        before.rename(folder)
    write_json(note, architecture.to_dict())
    return folder


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _quality(score: dict[str, Any]) -> dict[str, Any]:
    return {name: score[name] for name in ("bleu", "bleu_signature", "chrf")}
