"""Run the stages of a run. Each keeps what it finishes, so the same call resumes a killed run.

profile -> fit -> supernet -> search -> verify -> finetune -> evaluate -> report
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.deployed.description import Description
from automoe.export import ModelFacts, check_parity, export_model
from automoe.latency.architecture_profiling import profile_architectures
from automoe.latency.model import LatencyModel
from automoe.pipeline.config import ConfigError, RunConfig
from automoe.pipeline.final_models import (
    FinalModel,
    can_train_together,
    claimed_folder,
    train_together,
)
from automoe.pipeline.finished import n_profiled
from automoe.pipeline.profiled_architectures import profiled_architectures
from automoe.pipeline.reporting import draw_report, keep_candidates
from automoe.progress import StageReporter, no_progress
from automoe.report import headline_of
from automoe.run_files import (
    BASELINE,
    LATENCY_LOG,
    PRECISION,
    PREDICTOR,
    REPORT,
    RESULT,
    SEARCH_STATE,
    SUPERNET,
    VERIFICATION,
    WINNER,
)
from automoe.search import (
    Preflight,
    SearchFiles,
    SearchRequest,
    TargetDevice,
    VerifiedSearch,
    describe,
    objective_fitness,
    preflight_check,
    run_search,
    settings_of,
)
from automoe.search.workers.pool import require_cluster
from automoe.text import ParallelText, drawn_pairs
from automoe.training import ONNX, train_supernet
from automoe.training.kept_weights import FinalWeights
from automoe.training.model_folder import TrainedModel
from automoe.training.processes import require_precision
from automoe.training.router_use import expert_load
from automoe.training.tracking import require_trackers
from automoe.translation import Evaluation, Translator, evaluate
from automoe.translation.efficiency import sentence_ms
from automoe.translation.precision_cost import precision_cost
from devices import DeviceInfo
from devices.files import held, write_json
from devices.opening import opened_device
from devices.remote.host import say_nothing
from devices.remote.session import Say
from devices.shown import Shown
from devices.yaml_json import parse_json
from predictors import fit_log

_N_CHECKED = 8  # sentences whose logits are compared with those of torch
_N_COMPARED = 100  # sentences that are translated in the run's precision and in float32


@dataclass(frozen=True, slots=True, repr=False)
class RunSummary(Shown):
    """The files of a finished run.

    Attributes:
        result: The content of ``result.json``.
        result_path: The path of this file.
        report_path: The path of the report.
    """

    result: dict[str, Any]
    result_path: Path
    report_path: Path

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {
            "result": headline_of(self.result),
            "certified": "yes" if self.result["certified"] else "no",
            "reason": self.result["reason"],
            "file": self.result_path,
            "page": self.report_path,
        }


def run(
    config: RunConfig, *, stage: StageReporter | None = None, say: Say = say_nothing
) -> RunSummary:
    """Run every stage that is not finished.

    Args:
        config: The configuration of the run.
        stage: Called with the title of each stage. It returns the progress report of the stage.
        say: Called with the latencies of the space, with the time that the search takes, with which
            weights of a training go on, and when the connection to the device is lost or back.

    Raises:
        ConfigError: The folder belongs to a run with another configuration, or is in use.
        DeviceUnavailableError: The device or the cluster cannot be used; nothing was done.
        InfeasibleBudgetError: No architecture is predicted to fit the budget.
        ValueError: The corpus, the space or a file of the run cannot be used.
    """
    return _Run(config, stage or (lambda title: nullcontext(no_progress)), say).go()


class _Run:
    """The stages, with the values that they pass on."""

    def __init__(self, config: RunConfig, stage: StageReporter, say: Say) -> None:
        self.config = config
        self.stage = stage
        self.say = say
        self.folder = config.folder
        self._supernet = config.folder / SUPERNET
        self.space = config.space.open()
        self.workload = config.workload.sentence(self.space)
        self.corpus = config.data.open()
        # The device is opened only to measure, because trainings take days.
        self.opened = partial(opened_device, config.device, config.host, say=say, waits=True)
        self.baseline = self.space.largest(experts=1)

    def go(self) -> RunSummary:
        with self.opened(is_measured=False) as device:
            self.device_info = device.info()
        require_cluster(self.config.search.cluster)
        for settings in (self.config.train, self.config.finetune):
            require_trackers(settings.track)
            require_precision(settings)
        self.folder.mkdir(parents=True, exist_ok=True)
        refusal = ConfigError(
            f"'{self.folder}' is being written by another run. Wait for it to end, or give this "
            "one another 'name'."
        )
        with held(self.folder / "run.lock", refusal):
            return self._stages()

    def _stages(self) -> RunSummary:
        self.config.claim()
        self._profile()
        request = self._request(self._fit())
        # A budget that nothing can fit is refused before a supernet is trained.
        preflight = preflight_check(
            request.space, request.settings, request.latency, info=self.device_info, say=self.say
        )
        self._train()
        searched, result = self._search(request, preflight)
        models = {WINNER: searched.verification.winner.architecture, BASELINE: self.baseline}
        self._finetune(models, result)
        scores = {name: self._evaluate(name, a) for name, a in models.items()}
        result |= _quality(scores[WINNER])
        result["expert_load"] = scores[WINNER].get("expert_load", {})
        result["baseline"] = {**self._baseline(searched), **_quality(scores[BASELINE])}
        write_json(self.folder / RESULT, result)
        path = self.folder / REPORT
        with self.stage("Report") as on_progress:
            draw_report(self.folder, path)
            on_progress(1, 1)
        return RunSummary(result, self.folder / RESULT, path)

    def _profile(self) -> None:
        done, total = n_profiled(self.config, self.space)
        opened = self.opened(is_measured=done < total)
        with self.stage("Profile") as on_progress, opened as device:
            profile_architectures(
                profiled_architectures(self.config, self.space),
                device=device,
                protocol=self.config.profile.protocol(seed=self.config.seed),
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
        return LatencyModel(LatencyModel.open(path).predictor, self.workload)

    def _train(self) -> None:
        with self.stage("Supernet") as on_progress:
            result = train_supernet(
                self.space,
                self.corpus,
                self.config.train,
                folder=self._supernet,
                on_progress=on_progress,
            )
        self.say(f"The weights of the supernet are {result.final}.")

    def _request(self, latency: LatencyModel) -> SearchRequest:
        """Return the request of the search."""
        search = self.config.search
        settings = settings_of(search, self.space, latency)
        return SearchRequest(
            space=self.space,
            settings=settings,
            latency=latency,
            objective="loss",
            fitness=objective_fitness(
                "loss", self._supernet, self.corpus, halvings=settings.halvings
            ),
            predictor=self.folder / PREDICTOR,
            supernet=self._supernet,
            files=SearchFiles(
                state=self.folder / SEARCH_STATE,
                verification=self.folder / VERIFICATION,
                graphs=self.folder / "graphs",
                fitness=self.folder / "fitness.jsonl",
            ),
            jobs=search.jobs,
            cluster=search.cluster,
        )

    def _search(
        self, request: SearchRequest, preflight: Preflight
    ) -> tuple[VerifiedSearch, dict[str, Any]]:
        target = TargetDevice(
            opened=self.opened,
            info=self.device_info,
            also=(self.baseline,),
            seed=self.config.seed,
        )
        searched, result = run_search(
            request, preflight=preflight, target=target, stage=self.stage, say=self.say
        )
        keep_candidates(self.folder, searched.outcome.candidates)
        return searched, result

    def _finetune(
        self, architectures: Mapping[str, Architecture], result: Mapping[str, Any]
    ) -> None:
        models = [
            FinalModel(
                name=name,
                architecture=architecture,
                corpus=self.corpus.absolute(),
                settings=self.config.finetune,
                supernet=self._supernet.absolute(),
                folder=claimed_folder(architecture, self.folder / name).absolute(),
                searched=result if name == WINNER else None,
            )
            for name, architecture in architectures.items()
        ]
        weights: dict[str, FinalWeights] | None = None
        if can_train_together(models, jobs=self.config.search.jobs):
            with self.stage("Finetune both") as on_progress:
                weights = train_together(models, on_progress)
            if weights is None:
                self.say("A process that trained died. One model is trained after the other now.")
        if weights is None:
            weights = {}
            for model in models:
                with self.stage(f"Finetune {model.name}") as on_progress:
                    weights[model.name] = model.train(on_progress)
        for name, final in weights.items():
            self.say(f"The weights of the {name} are {final}.")

    def _evaluate(self, name: str, architecture: Architecture) -> dict[str, Any]:
        path = self.folder / name / "evaluation.json"
        settings = self.config.evaluate
        with self.stage(f"Evaluate {name}") as on_progress:
            if is_evaluated(path, architecture):
                on_progress(1, 1)
            else:
                translator = Translator.open(
                    self._bundle(name),
                    beam=settings.beam,
                    length_penalty=settings.length_penalty,
                    threads=self.config.profile.threads,
                )
                score = evaluate(
                    translator, self._test_text(settings.sentences), on_progress=on_progress
                )
                load = expert_load(
                    TrainedModel.load(self.folder / name),
                    self.corpus,
                    max_sentence=self.config.finetune.max_sentence,
                )
                content = {"architecture_id": architecture.id, "split": "test", **score.to_dict()}
                if translates_on(self.device_info, self.config.host):
                    content["translation_ms"] = self._translation_ms(translator)
                write_json(path, {**content, "expert_load": load})
        return _read(path)

    def _translation_ms(self, translator: Translator) -> dict[str, float] | None:
        """Return the time of the measured sentence with the search for the best translation."""
        found = sentence_ms(translator, str(self.workload))
        return None if found is None else dict(zip(("whole", "graphs"), found, strict=True))

    def _bundle(self, name: str) -> Path:
        """Return the graphs of a final model in the precision that was measured."""
        precision, model = self.workload.precision, self.folder / name
        if precision == "fp32":
            return model / ONNX
        trained = TrainedModel.load(model)
        facts = ModelFacts.trained_on(self.corpus, result=Description.read(model / ONNX).searched)
        bundle = export_model(
            trained.model,
            model / f"{ONNX}-{precision}",
            vocabulary=trained.vocabulary,
            precision=precision,
            facts=facts,
        )
        pairs = drawn_pairs(
            self._test_text(None),
            trained.vocabulary,
            n=_N_CHECKED,
            max_tokens=bundle.max_positions,
        )
        check_parity(trained.model, bundle, pairs=pairs)
        cost = precision_cost(
            trained.model, trained.vocabulary, bundle, self._test_text(_N_COMPARED)
        )
        bundle.describe(replace(facts, precision_cost=cost.to_dict()))
        write_json(model / PRECISION, cost.to_dict())
        self.say(
            f"In {precision} the {name} has BLEU {cost.bleu:.1f} on {cost.n_sentences} sentences, "
            f"and {cost.bleu_fp32:.1f} in fp32; {cost.n_changed} translations differ."
        )
        return bundle.folder

    def _test_text(self, n: int | None) -> ParallelText:
        return self.corpus.split("test").first(n)

    def _baseline(self, searched: VerifiedSearch) -> dict[str, Any]:
        """Describe the largest dense architecture, with which the winner is compared."""
        confidence = self.config.search.confidence
        bounds = searched.latency.predict([self.baseline], confidence=confidence)
        return describe(
            self.baseline,
            self.workload,
            bounds={str(k): float(v) for k, v in bounds.iloc[0].items()},
            measured=searched.verification.measured.get(self.baseline),
        )


def translates_on(info: DeviceInfo, host: str | None) -> bool:
    """Return whether this process translates on the device that is measured: its own processor."""
    return host is None and info.kind == "cpu"


def is_evaluated(path: Path, architecture: Architecture) -> bool:
    """Return whether a file holds all that an evaluation of an architecture tells today."""
    content = _read(path) if path.exists() else {}
    told = {field.name for field in fields(Evaluation)}
    return content.get("architecture_id") == architecture.id and told <= content.keys()


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = parse_json(path.read_bytes())
    return content


def _quality(score: dict[str, Any]) -> dict[str, Any]:
    names = ("bleu", "bleu_signature", "chrf", "n_sentences", "translation_ms")
    return {name: score[name] for name in names if name in score}
