"""This module writes the report from the raw results, as far as they go."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean

from paper_claim.cells import changes_of, chrf, code, estimate, milliseconds, table
from paper_claim.config import Experiment
from paper_claim.figures import draw_all
from paper_claim.findings import NOT_YET, Findings, FrontPoint, Model, experts_of
from paper_claim.goals import goals
from paper_claim.making import making
from paper_claim.placement import STACKS, drawn_experts, widths, winners_experts
from paper_claim.ranking import ranking

from devices.files import replacing
from devices.rounding import rounded_up

REMARKS = "remarks.md"
_CAPTIONS = {
    "front": "BLEU with inherited weights against measured latency, with 95 % intervals",
    "ranking": "Loss with the supernet's weights against loss after training alone",
    "search": "The smallest loss so far of each method at the main budget",
    "experts": "Mean number of experts by layer, of winners and of random architectures",
    "training": "Validation loss of the final trainings, first seed",
}

Lines = list[str]


def write_report(experiment: Experiment, path: Path) -> None:
    """Write the report, with its diagrams in a folder beside it that has its name.

    The same results give the same files. Nothing but the configuration and the results is read.
    """
    findings = Findings(experiment)
    drawn = draw_all(findings, path.with_suffix(""))
    sections: Sequence[tuple[str, Callable[[Findings], Lines], str]] = (
        ("Goals", _goals, ""),
        ("Models", _models, "training"),
        ("Differences", _differences, ""),
        ("Fronts from one supernet", _front, "front"),
        ("The supernet's ranking", ranking, "ranking"),
        ("Searches", _searches, "search"),
        ("Where experts go", _placement, "experts"),
        ("What routing learned", _routing, ""),
        ("Inherited weights against training from scratch", _inherited, ""),
        ("Settings of the final trainings", _tuning, ""),
        ("How it was made", making, ""),
    )
    lines = _head(findings)
    for title, section, figure in sections:
        lines += ["", f"## {title}", "", *section(findings)]
        if figure in drawn:
            file = drawn[figure]
            lines += ["", f"![{_CAPTIONS[figure]}]({file.parent.name}/{file.name})"]
    lines += ["", "## Remarks", "", *_remarks(experiment)]
    with replacing(path) as complete:
        complete.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head(findings: Findings) -> Lines:
    return [
        "# Does the paper's claim hold?",
        "",
        "The paper ([AutoMoE](https://arxiv.org/abs/2210.07535)) says that sparse architectures "
        "found by search need 4 times fewer FLOPs than a manually designed dense Transformer, and "
        "23 % fewer FLOPs and 10 % less latency than the best dense architecture of the same "
        "search, at equal BLEU. This page holds that against an experiment of its own. A program "
        "wrote it from the raw results in the folder "
        f"`benchmarks/paper_claim/results/{findings.config.name}`; no figure was typed. "
        f"Where a result is missing it says: {NOT_YET}.",
    ]


def _goals(findings: Findings) -> Lines:
    rows = [[goal.text, f"**{goal.answer}**", goal.figures] for goal in goals(findings)]
    return table(["goal", "answer", "figures"], rows)


def _models(findings: Findings) -> Lines:
    precisions = findings.config.measure.precisions
    unseen = findings.config.text.unseen
    header = ["model", "experts", "parameters (M)", "active (M)", "MFLOPs", "with projection"]
    header += [f"ms, {precision}" for precision in precisions]
    header += [
        "seeds",
        "BLEU",
        *(["unseen documents"] if unseen else []),
        "chrF",
        "training (core s)",
    ]
    rows = [_model_row(findings, model) for model in findings.models.values()]
    signatures = {
        result["test"][name]
        for result in findings.trainings.values()
        for name in ("bleu_signature", "chrf_signature")
    }
    workload = findings.config.workload
    return [
        f"Costs and latencies are those of a sentence of {workload.src_len} source and "
        f"{workload.tgt_len} target tokens with beam {workload.beam}. Parameters are without the "
        "embedding table. FLOPs are those of one teacher-forced pass with the learned routing "
        "(equal shares of the experts before a training); a multiply-add counts as two. BLEU is "
        "the mean over the seeds. Intervals are at 95 %, over sentences and trainings for BLEU, "
        "and over processes for latencies.",
        "",
        *table(header, rows),
        "",
        *[f"Signature: `{signature}`" for signature in sorted(signatures)],
    ]


def _model_row(findings: Findings, model: Model) -> list[str]:
    config = findings.config
    cells = [model.final.name]
    if model.architecture is None or model.cost is None or model.flops is None:
        cells += [NOT_YET] * (5 + len(config.measure.precisions))
    else:
        cost = model.cost
        cells += [experts_of(model.architecture), f"{cost.params / 1e6:.2f}"]
        cells += [f"{cost.active_params / 1e6:.2f}", f"{model.flops / 1e6:.1f}"]
        cells.append(f"{(model.flops + cost.projection_flops) / 1e6:.1f}")
        cells += [milliseconds(model.latency.get(each)) for each in config.measure.precisions]
    cells.append(f"{len(model.trainings)} of {len(model.seeds)}")
    cells.append(estimate(model.bleu()))
    if config.text.unseen:
        cells.append(estimate(model.bleu(config.text.unseen)))
    results = model.trainings.values()
    cells.append(chrf([result["test"] for result in results]))
    seconds = [result["trained"]["cpu_s"] for result in results]
    cells.append(f"{mean(seconds):.0f}" if seconds else NOT_YET)
    return cells


def _differences(findings: Findings) -> Lines:
    rows = []
    for name in findings.models:
        for other in ("manual", "dense", "random", findings.unchanged(name)):
            if other is not None and name != other:
                more = findings.compared(name, other)
                if more is not None:
                    rows.append([name, other, estimate(more, signed=True)])
    if not rows:
        return [NOT_YET]
    return [
        "BLEU of a model less that of another, with the seeds that both have, on the same "
        "sentences. Of a single seed the interval is over sentences alone.",
        "",
        *table(["model", "less", "difference"], rows),
    ]


def _front(findings: Findings) -> Lines:
    if not findings.front:
        return [NOT_YET]
    header = ["method", "budget (%)", "experts", "MFLOPs", "bound (ms)", "ms", "loss", "BLEU"]
    rows = [
        [
            point.method,
            point.budget.replace("_", "."),
            experts_of(point.architecture),
            f"{point.cost.flops / 1e6:.1f}",
            "" if point.upper_ms is None else rounded_up(point.upper_ms, places=2),
            milliseconds(point.latency),
            "" if point.loss is None else f"{point.loss:.4f}",
            estimate(point.bleu),
        ]
        for point in findings.front
    ]
    return [
        "The winner of each search with the weights that it inherits. A budget is a share of the "
        "predicted latency of the manual architecture; `parity` is below the dense winner.",
        "",
        *table(header, rows),
        "",
        *_millisecond(findings.front),
    ]


def _millisecond(front: Iterable[FrontPoint]) -> Lines:
    """Return what one more millisecond buys, from the fastest to the slowest winner."""
    by_method: dict[str, list[tuple[float, float]]] = {}
    for point in front:
        if point.latency and point.bleu and point.budget != "parity":
            by_method.setdefault(point.method, []).append((point.latency.ms, point.bleu.value))
    rows = []
    for method, points in by_method.items():
        (fastest_ms, first), (slowest_ms, last) = min(points), max(points)
        if slowest_ms > fastest_ms:
            rows.append([method, f"{(last - first) / (slowest_ms - fastest_ms):.2f}"])
    if not rows:
        return [f"What a millisecond buys: {NOT_YET}."]
    return table(["method", "BLEU for one more millisecond"], rows)


def _searches(findings: Findings) -> Lines:
    if not findings.searches:
        return [NOT_YET]
    rows = []
    for name, result in findings.searches.items():
        if "infeasible" in result:
            rows.append([name, "nothing fits", "", "", f"{result['cpu_s']:.0f}"])
            continue
        rows.append(
            [
                name,
                str(result["n_evaluated"]),
                f"{result['fitness']:.4f}",
                f"{result['budget_ms']:.2f}",
                f"{result['cpu_s']:.0f}",
            ]
        )
    header = ["search", "evaluations", "loss of the winner", "budget (ms)", "seconds"]
    return [*_repeated_searches(findings), "", *table(header, rows)]


def _repeated_searches(findings: Findings) -> Lines:
    """Return the loss of each method and remedy that was searched for with every seed."""
    search = findings.config.search
    repeated = [method.name for method in search.methods if method.repeated]
    rows = [
        [name, changes_of(changes), *(findings.loss_of_search(name, seed) for seed in search.seeds)]
        for name, changes in (
            *((name, {}) for name in repeated),
            *((remedy.name, remedy.changes) for remedy in search.remedies),
        )
    ]
    return [
        "At the main budget these searches were repeated with every seed. The cells are losses of "
        "winners.",
        "",
        *table(["method", "changes", *(f"seed {seed}" for seed in search.seeds)], rows),
    ]


def _placement(findings: Findings) -> Lines:
    winners = winners_experts(findings)
    if not winners:
        return [NOT_YET]
    drawn = drawn_experts(findings)
    rows = [
        [f"{stack} {layer + 1}", f"{value:.2f}", f"{drawn[stack][layer]:.2f}"]
        for stack in STACKS
        for layer, value in winners[stack].items()
    ]
    wide = [
        f"An expert of the {stack} is {own:.0f} wide in the mean, and {others:.0f} in random ones."
        for stack, (own, others) in widths(findings).items()
    ]
    return [*table(["layer", "experts of winners", "of random ones"], rows), "", *wide]


def _routing(findings: Findings) -> Lines:
    rows = []
    for name, model in findings.models.items():
        for result in list(model.trainings.values())[:1]:
            for stack in STACKS:
                for layer in result["routing"][stack]:
                    total = max(sum(layer["tokens"]), 1)
                    load = ", ".join(f"{100 * count / total:.0f}" for count in layer["tokens"])
                    pieces = "; ".join(
                        " ".join(code(piece) for piece, _ in each[:4]) for each in layer["pieces"]
                    )
                    rows.append([name, f"{stack} {layer['layer'] + 1}", load, pieces])
    if not rows:
        return [NOT_YET]
    return [
        "The share of the tokens of the valid split that each expert serves, and the pieces that "
        "go to it most exclusively, of the training with the first seed.",
        "",
        *table(["model", "layer", "load (%)", "pieces of each expert"], rows),
    ]


def _inherited(findings: Findings) -> Lines:
    rows = []
    for name, model in findings.models.items():
        if model.architecture is None:
            continue
        test = findings.inherited.get(model.architecture.id)
        if test is not None:
            rows.append([name, f"{test['test']['bleu']:.1f}", estimate(model.bleu())])
    if not rows:
        return [NOT_YET]
    return table(["model", "BLEU with inherited weights", "BLEU after training"], rows)


def _tuning(findings: Findings) -> Lines:
    tuning = findings.config.tuning
    if tuning is None:
        return ["They were not tuned."]
    rows = []
    for candidate in tuning.candidates:
        result = findings.tuning.get(candidate.name)
        figures = [NOT_YET] * 2
        if result is not None:
            figures = [f"{result['weights']['valid_loss']:.3f}", f"{result['cpu_s']:.0f}"]
        rows.append([candidate.name, changes_of(candidate.changes), *figures])
    base = tuning.train
    return [
        f"Short trainings of the manual architecture, of {base.updates} updates of "
        f"{base.max_tokens} tokens with a learning rate of {base.learning_rate} and dropout "
        f"{base.dropout} where the table does not say otherwise. They were compared by their "
        "validation loss, before any other final training.",
        "",
        *table(["candidate", "changes", "validation loss", "core s"], rows),
    ]


def _remarks(experiment: Experiment) -> Lines:
    path = experiment.results / REMARKS
    return path.read_text(encoding="utf-8").rstrip().split("\n") if path.exists() else ["None yet."]
