"""``automoe search``."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.exits import ExitCode
from automoe.cli.opened_device import Host, opened_device
from devices import Device

if TYPE_CHECKING:
    from automoe.latency_model import LatencyModel
    from automoe.search import Candidate, SearchSettings
    from automoe.space import SearchSpace


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
    verify_top: Annotated[int, typer.Option(min=1, help="Measured together.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result.")] = False,
) -> None:
    """Find the best architecture within a latency budget; exit 6 when none can fit."""
    if host is not None and device is None:
        raise ValueError(f"'--host' says where '--device' is: give both. Got '--host {host}'.")
    # torch takes seconds to import
    from pydantic import ValidationError

    from automoe.latency_model import LatencyModel
    from automoe.model_folder import TrainedModel
    from automoe.search import SearchSettings, ValidationFitness, write_result
    from automoe.search import search as run_search
    from automoe.search.state import SearchState
    from automoe.text import open_corpus
    from automoe.training import TrainingData, remembered_corpus
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
            verify_top=verify_top,
            seed=seed,
        )
    except ValidationError as error:
        raise ValueError(explain(error)) from None
    if device is not None:
        with opened_device(device, host):
            pass  # better now than after the search
    latency = LatencyModel.open(predictor)
    trained, space = TrainedModel.load_supernet(supernet)
    corpus = remembered_corpus(supernet) if data is None else None
    text = TrainingData.prepare(
        corpus or open_corpus(data, source=source, target=target),
        trained.vocabulary,
        max_sentence=250,
    )
    state = SearchState(
        out.with_suffix(".state.json"),
        _fingerprint(settings.model_dump_json(), predictor, supernet),
    )
    with progress_bar("Search") as on_progress:
        outcome = run_search(
            space,
            settings,
            latency=latency,
            fitness=ValidationFitness(trained.model, text.validation_batches(4096)),
            state=state,
            on_progress=on_progress,
        )
    candidates = list(outcome.candidates)
    if device is None:
        result = _unverified(candidates, settings, latency=latency, space=space)
    else:
        with opened_device(device, host) as opened:
            result = _verified(
                candidates, settings, latency=latency, space=space, device=opened, out=out
            )
    write_result(out, result)
    if as_json:
        print_json(result)
    else:
        bounds = result["latency_ms"]
        print(
            f"{out}: {result['architecture_id']}, predicted {bounds['predicted']:.4g} ms "
            f"(at most {bounds['upper']:.4g}), loss {result['valid_loss']:.4f}; "
            f"{'certified' if result['certified'] else 'not certified'}: {result['reason']}"
        )
    if device is not None and not result["certified"]:
        raise typer.Exit(ExitCode.QUALITY)


def _unverified(
    candidates: "list[Candidate]",
    settings: "SearchSettings",
    *,
    latency: "LatencyModel",
    space: "SearchSpace",
) -> dict[str, Any]:
    """The result, predicted only."""
    from automoe.search import result_of

    return result_of(
        candidates[0],
        settings,
        space=space,
        workload=latency.workload,
        certified=False,
        reason="not measured; give --device to have the budget verified",
        measured=None,
        device=None,
    )


def _verified(
    candidates: "list[Candidate]",
    settings: "SearchSettings",
    *,
    latency: "LatencyModel",
    space: "SearchSpace",
    device: Device,
    out: Path,
) -> dict[str, Any]:
    """The result, measured."""
    from automoe.search import result_of, verify
    from automoe.search.verification import Bench
    from profilers import Protocol

    info = device.info()
    fitted_on = latency.predictor.conditions.get("device_fingerprint", info.fingerprint)
    if fitted_on != info.fingerprint:
        say(f"The predictor was fitted on device {fitted_on}; this one is {info.fingerprint}.")
    threads = int(float(latency.predictor.conditions.get("threads", "1")))
    bench = Bench(
        device=device,
        protocol=Protocol.verification(threads=threads),
        workload=latency.workload,
        space=space,
        log=out.with_suffix(".verification.csv"),
        graphs=out.with_suffix(".graphs"),
    )
    with progress_bar("Verify") as on_progress:
        verification = verify(candidates, settings, bench=bench, on_progress=on_progress)
    return result_of(
        verification.winner,
        settings,
        space=space,
        workload=latency.workload,
        certified=verification.certified,
        reason=verification.reason,
        measured=verification.measured.get(verification.winner.architecture),
        device=info.to_dict(),
    )


def _fingerprint(settings: str, predictor: Path, supernet: Path) -> str:
    digest = hashlib.sha256(settings.encode())
    for path in (predictor, supernet / "model.safetensors"):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
