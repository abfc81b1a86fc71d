"""``automoe search``."""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.exits import ExitCode
from automoe.cli.opened_device import Host, opened_device
from devices import Device

if TYPE_CHECKING:
    from automoe.latency_model import LatencyModel
    from automoe.search import Evaluator, Fitness, SearchOutcome, SearchSettings
    from automoe.search.bench import Bench
    from automoe.search.state import SearchState
    from automoe.space import SearchSpace
    from automoe.text import Corpus


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    supernet: Annotated[Path, typer.Option("--supernet", help="Run of 'automoe train'.")],
    predictor: Annotated[Path, typer.Option("--predictor", help="File of 'automoe fit'.")],
    budget_ms: Annotated[float, typer.Option("--budget-ms", help="Latency not to exceed.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Result, a JSON file.")],
    confidence: Annotated[float, typer.Option(help="Of the predictor's upper bound.")] = 0.95,
    device: Annotated[
        str | None, typer.Option("--device", help="Measure the winner there.")
    ] = None,
    host: Host = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Text to validate on; default: the supernet's.")
    ] = None,
    source: Annotated[str, typer.Option(help="Suffix of the language to translate from.")] = "en",
    target: Annotated[str, typer.Option(help="Suffix of the language to translate into.")] = "de",
    generations: Annotated[int, typer.Option(min=1)] = 30,
    population: Annotated[int, typer.Option(min=1)] = 125,
    parents: Annotated[int, typer.Option(min=1)] = 25,
    mutants: Annotated[int, typer.Option(min=0)] = 50,
    crossovers: Annotated[int, typer.Option(min=0)] = 50,
    mutation_probability: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    random: Annotated[
        bool, typer.Option("--random", help="Draw all candidates at random, as the baseline.")
    ] = False,
    max_flops: Annotated[float | None, typer.Option(help="Of one sentence.")] = None,
    max_params: Annotated[float | None, typer.Option(help="Without the embeddings.")] = None,
    max_active_params: Annotated[float | None, typer.Option(help="That a token uses.")] = None,
    max_memory_mb: Annotated[float | None, typer.Option(help="All weights in float32.")] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="All trade-offs of loss and latency, by NSGA-II.")
    ] = False,
    halvings: Annotated[
        int, typer.Option(min=0, help="Drop the worse half so often before all text is read.")
    ] = 0,
    objective: Annotated[
        str,
        typer.Option(help="loss, bleu, or MODULE:FUNCTION; less is better."),
    ] = "loss",
    verify_top: Annotated[int, typer.Option(min=1, help="Measured together.")] = 5,
    device_minutes: Annotated[
        float, typer.Option(help="With --device: no more is measured after these.")
    ] = 30.0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that evaluate.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(help="ray, ray://HOST:PORT or dask://HOST:PORT, which evaluates.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result.")] = False,
) -> None:
    """Find the best architecture within a latency budget; exit 6 when none can fit."""
    if host is not None and device is None:
        raise ValueError(f"'--host' says where '--device' is: give both. Got '--host {host}'.")
    # torch takes seconds to import
    from pydantic import ValidationError

    from automoe.budget import survey
    from automoe.latency_model import LatencyModel
    from automoe.model_folder import TrainedModel
    from automoe.search import (
        Evaluator,
        FitnessCache,
        SearchSettings,
        feasibility_of,
        front_of,
        source_digest,
        workers,
        write_result,
    )
    from automoe.text import open_corpus
    from automoe.training import remembered_corpus
    from automoe.validation import explain

    try:
        settings = SearchSettings(
            budget_ms=budget_ms,
            confidence=confidence,
            generations=generations,
            population=population,
            parents=parents,
            mutants=mutants,
            crossovers=crossovers,
            mutation_probability=mutation_probability,
            random=random,
            max_flops=max_flops,
            max_params=max_params,
            max_active_params=max_active_params,
            max_memory_mb=max_memory_mb,
            pareto=pareto,
            halvings=halvings,
            verify_top=verify_top,
            device_minutes=device_minutes,
            seed=seed,
        )
    except ValidationError as error:
        raise ValueError(explain(error)) from None
    # Better no device now than after the search.
    opening = nullcontext() if device is None else opened_device(device, host)
    with opening as plugin:
        latency = LatencyModel.open(predictor)
        _, space = TrainedModel.load_supernet(supernet)
        corpus = remembered_corpus(supernet) if data is None else None
        fitness = _fitness(
            objective,
            supernet,
            corpus or open_corpus(data, source=source, target=target),
            halvings=halvings,
        )
        # More time on the device is no other search.
        asked = settings.model_dump_json(exclude={"verify_top", "verify_most", "device_minutes"})
        values = [getattr(each, "digest", None) or source_digest(each) for each in fitness]
        what = f"{asked} {objective} {values}"
        fingerprint = _fingerprint(what, predictor, supernet)
        feasibility = survey(
            space, partial(latency.upper_ms, confidence=confidence), seed=settings.seed
        )
        preflight = feasibility_of(feasibility, latency, confidence)
        say(_preflight_line(preflight, settings, space, is_slack=feasibility.is_slack(budget_ms)))
        cache = FitnessCache(supernet / "fitness.jsonl")
        with workers(jobs, cluster) as found:
            search_here = _Search(
                space=space,
                settings=settings,
                latency=latency,
                evaluator=Evaluator(*fitness, cache=cache, workers=found),
                fingerprint=fingerprint,
                out=out,
            )
            outcome, result = search_here.certified(plugin) if plugin else search_here.predicted()
    result |= {"objective": objective, "feasibility": preflight}
    if pareto:
        result |= front_of(outcome)
    write_result(out, result)
    if as_json:
        print_json(result)
    else:
        bounds = result["latency_ms"]
        print(
            f"{out}: {result['architecture_id']}, predicted {bounds['predicted']:.4g} ms "
            f"(at most {bounds['upper']:.4g}), {objective} {result['valid_loss']:.4f}; "
            f"{'certified' if result['certified'] else 'not certified'}: {result['reason']}"
        )
    if device is not None and not result["certified"]:
        raise typer.Exit(ExitCode.QUALITY)


def _fitness(
    objective: str, supernet: Path, corpus: "Corpus", *, halvings: int
) -> "Sequence[Fitness]":
    """What the search minimises, one for each stage of halving."""
    from automoe.search import BleuFitness, imported_fitness, supernet_fitness

    if objective == "loss":
        return supernet_fitness(supernet, corpus, halvings)
    if halvings:
        raise ValueError(
            f"'--halvings' needs the objective loss, which can read less text. Got '{objective}'."
        )
    return [BleuFitness(supernet, corpus) if objective == "bleu" else imported_fitness(objective)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """A search with and without a device."""

    space: "SearchSpace"
    settings: "SearchSettings"
    latency: "LatencyModel"
    evaluator: "Evaluator"
    fingerprint: str
    out: Path

    def predicted(self) -> "tuple[SearchOutcome, dict[str, Any]]":
        """What was found, and the result without a measurement."""
        from automoe.search import result_of, search

        with progress_bar("Search") as on_progress:
            outcome = search(
                self.space,
                self.settings,
                latency=self.latency,
                evaluator=self.evaluator,
                state=self._state(0),
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
        )
        return outcome, result

    def certified(self, plugin: Device) -> "tuple[SearchOutcome, dict[str, Any]]":
        """What was found, and the result as the device judges it."""
        from automoe.search import result_of, verified_search

        info = plugin.info()
        fitted_on = self.latency.predictor.conditions.get("device_fingerprint", info.fingerprint)
        if fitted_on != info.fingerprint:
            say(f"The predictor was fitted on device {fitted_on}; this one is {info.fingerprint}.")
        searched = verified_search(
            self.space,
            self.settings,
            latency=self.latency,
            evaluator=self.evaluator,
            state=self._state,
            bench=self._bench(plugin),
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
        )
        result["n_measured"] = len(verification.measured)
        result["search_rounds"] = searched.rounds
        return searched.outcome, result

    def _state(self, n: int) -> "SearchState":
        from automoe.search.state import SearchState

        suffix = f".state{n or ''}.jsonl"
        return SearchState(self.out.with_suffix(suffix), self.fingerprint)

    def _bench(self, plugin: Device) -> "Bench":
        from automoe.search.bench import Bench
        from profilers import Protocol

        threads = int(float(self.latency.predictor.conditions.get("threads", "1")))
        return Bench(
            device=plugin,
            protocol=Protocol.verification(budget_ms=self.settings.budget_ms, threads=threads),
            workload=self.latency.workload,
            space=self.space,
            log=self.out.with_suffix(".verification.csv"),
            graphs=self.out.with_suffix(".graphs"),
        )


def _preflight_line(
    preflight: dict[str, Any], settings: "SearchSettings", space: "SearchSpace", *, is_slack: bool
) -> str:
    """What the space offers, for a person."""
    shown = ", ".join(
        f"{name} {row['predicted_ms']:.4g} ms ({row['lower_ms']:.4g} to {row['upper_ms']:.4g})"
        for name, row in preflight.items()
    )
    line = f"Predicted latencies of '{space.name}': {shown}."
    if is_slack:
        line += (
            f" The budget of {settings.budget_ms:g} ms excludes nothing seen: what is returned is "
            f"the best of the whole space, at most {preflight['largest']['upper_ms']:.4g} ms."
        )
    return line


def _fingerprint(settings: str, predictor: Path, supernet: Path) -> str:
    digest = hashlib.sha256(settings.encode())
    for path in (predictor, supernet / "model.safetensors"):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
