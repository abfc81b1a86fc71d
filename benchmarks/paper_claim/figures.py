"""This module draws the diagrams of the report as SVG files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from paper_claim.config import KINDS
from paper_claim.findings import Findings, FrontPoint
from paper_claim.placement import STACKS, drawn_experts, winners_experts
from paper_claim.trainings import budget_name, search_name

from devices.files import replacing

_SIZE = (6.4, 3.6)  # inches
_COLOURS = ("#3b7dd8", "#d0453b", "#2f9e5b", "#b8860b", "#7a4fb5", "#7a7a7a")


def draw_all(findings: Findings, folder: Path) -> dict[str, Path]:
    """Draw every diagram for which there are results, and return the files by name."""
    drawings: dict[str, Callable[[Axes], None] | None] = {
        "front": _front(findings),
        "ranking": _ranking(findings),
        "search": _search(findings),
        "experts": _experts(findings),
        "training": _training(findings),
    }
    return {
        name: _saved(draw, folder / f"{name}.svg")
        for name, draw in drawings.items()
        if draw is not None
    }


def _front(findings: Findings) -> Callable[[Axes], None] | None:
    by_method: dict[str, list[FrontPoint]] = {}
    for point in findings.front:
        if point.latency and point.bleu and point.budget != "parity":
            by_method.setdefault(point.method, []).append(point)
    if not by_method:
        return None

    def draw(axes: Axes) -> None:
        for (method, points), colour in zip(by_method.items(), _COLOURS, strict=False):
            ordered = sorted(points, key=lambda point: point.latency.ms)
            x = [point.latency.ms for point in ordered]
            y = [point.bleu.value for point in ordered]
            errors = [
                [point.bleu.value - point.bleu.low for point in ordered],
                [point.bleu.high - point.bleu.value for point in ordered],
            ]
            axes.errorbar(x, y, yerr=errors, fmt="o-", label=method, color=colour, capsize=2)
        axes.set(xlabel="measured latency (ms)", ylabel="BLEU with inherited weights")
        axes.legend(frameon=False)

    return draw


def _ranking(findings: Findings) -> Callable[[Axes], None] | None:
    if not findings.judges:
        return None
    shared, alone = findings.supernet_losses(), findings.alone_losses(findings.judges[0])

    def draw(axes: Axes) -> None:
        for kind, colour in zip(sorted(KINDS), _COLOURS, strict=False):
            ranked = sorted(name for name in shared.keys() & alone if name.startswith(kind))
            x, y = ([losses[name] for name in ranked] for losses in (alone, shared))
            axes.scatter(x, y, label=kind, color=colour, s=18)
        axes.set(xlabel="loss after training alone", ylabel="loss with the supernet's weights")
        axes.legend(frameon=False)

    return draw


def _search(findings: Findings) -> Callable[[Axes], None] | None:
    search = findings.config.search
    results = {}
    for method in search.methods:
        name = search_name(method.name, budget_name(search.main), search.seeds[0])
        if "candidates" in findings.searches.get(name, {}):
            results[method.name] = findings.searches[name]
    if not results:
        return None

    def draw(axes: Axes) -> None:
        for (method, result), colour in zip(results.items(), _COLOURS, strict=False):
            counts, best = best_by_evaluation(result["candidates"])
            axes.step(counts, best, where="post", label=method, color=colour)
        axes.set(xlabel="evaluations", ylabel="smallest loss so far")
        axes.legend(frameon=False)

    return draw


def best_by_evaluation(
    candidates: Sequence[tuple[int, float, float]],
) -> tuple[list[int], list[float]]:
    """Return after each generation the number of evaluations and the smallest loss so far."""
    counts, best = [0], [float("inf")]
    for generation in sorted({generation for generation, _, _ in candidates}):
        losses = [loss for number, loss, _ in candidates if number == generation]
        counts.append(counts[-1] + len(losses))
        best.append(min(best[-1], *losses))
    return counts[1:], best[1:]


def _experts(findings: Findings) -> Callable[[Axes], None] | None:
    winners = winners_experts(findings)
    if not winners:
        return None
    drawn = drawn_experts(findings)

    def draw(axes: Axes) -> None:
        places = [(stack, layer) for stack in STACKS for layer in sorted(winners.get(stack, {}))]
        labels = [f"{stack} {layer + 1}" for stack, layer in places]
        for shift, label, means, colour in (
            (-0.2, "winners", winners, _COLOURS[0]),
            (0.2, "random", drawn, _COLOURS[5]),
        ):
            x = [place + shift for place in range(len(places))]
            axes.bar(x, [means[s][layer] for s, layer in places], 0.4, label=label, color=colour)
        axes.set_xticks(range(len(places)), labels, rotation=45, ha="right")
        axes.set(ylabel="mean number of experts")
        axes.legend(frameon=False)

    return draw


def _training(findings: Findings) -> Callable[[Axes], None] | None:
    curves = {
        name: next(iter(model.trainings.values()))["history"]
        for name, model in findings.models.items()
        if model.trainings
    }
    if not curves:
        return None

    def draw(axes: Axes) -> None:
        for number, (name, history) in enumerate(curves.items()):
            points = [(r["update"], r["valid_loss"]) for r in history if r["valid_loss"]]
            style = "-" if number < len(_COLOURS) else "--"
            colour = _COLOURS[number % len(_COLOURS)]
            axes.plot(*zip(*points, strict=True), style, label=name, color=colour)
        axes.set(xlabel="update", ylabel="validation loss (nats per token)")
        axes.legend(frameon=False, fontsize="small")

    return draw


def _saved(draw: Callable[[Axes], None], path: Path) -> Path:
    """Write a diagram. The same figures give the same bytes."""
    with matplotlib.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none"}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure.subplots())
        with replacing(path) as complete:
            figure.savefig(complete, format="svg", metadata={"Date": None})
    return path
