"""This module holds the goals of the experiment against its figures."""

from collections.abc import Iterable
from dataclasses import dataclass

from paper_claim.findings import NOT_YET, Findings, Model, rank_correlation
from paper_claim.trainings import budget_name, search_name

from devices.rounding import rounded_down

_BLEU_OF_DENSE = 20.0
_LESS_THAN_MANUAL = {"flops": 4.0, "latency": 2.5}
_LESS_THAN_DENSE = {"flops": 0.77, "latency": 0.9}
_SPEARMAN = 0.8
PASS, MISS = "pass", "miss"


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal with its answer: ``pass``, ``miss`` or not yet computed."""

    text: str
    answer: str
    figures: str


def goals(findings: Findings) -> list[Goal]:
    """Return every goal with its answer."""
    return [
        _dense_is_good(findings),
        _less_than_manual(findings),
        _less_than_dense_search(findings),
        *_as_good_as_random(findings),
        _ranking(findings),
    ]


def _dense_is_good(findings: Findings) -> Goal:
    text = f"BLEU of the manual dense model is at least {_BLEU_OF_DENSE:g}"
    manual = findings.models.get("manual")
    if manual is None or not manual.is_complete:
        return Goal(text, NOT_YET, "")
    bleu = manual.bleu()
    assert bleu is not None
    return Goal(text, _answer(bleu.value >= _BLEU_OF_DENSE), bleu.shown(1))


def _less_than_manual(findings: Findings) -> Goal:
    text = (
        "at BLEU within the interval of the manual dense model, at least "
        f"{_LESS_THAN_MANUAL['flops']:g} times fewer active FLOPs and at least "
        f"{_LESS_THAN_MANUAL['latency']:g} times less measured latency"
    )
    manual = findings.models.get("manual")
    others = _sparse(findings)
    if manual is None or not _is_known(manual) or not any(map(_is_known, others)):
        return Goal(text, NOT_YET, "")
    interval = manual.bleu()
    assert interval is not None
    is_reached, lines = False, []
    for model in filter(_is_known, others):
        bleu = model.bleu()
        assert bleu is not None
        flops, latency = (1 / ratio for ratio in _ratios(model, manual))
        is_reached |= (
            bleu.value >= interval.low
            and flops >= _LESS_THAN_MANUAL["flops"]
            and latency >= _LESS_THAN_MANUAL["latency"]
        )
        lines.append(
            f"{model.final.name}: {bleu.value:.1f} BLEU (manual from "
            f"{rounded_down(interval.low, places=1)}), "
            f"{flops:.2f} times fewer FLOPs, {latency:.2f} times less latency"
        )
    return Goal(text, _answer(is_reached), "; ".join(lines))


def _less_than_dense_search(findings: Findings) -> Goal:
    text = (
        "at BLEU parity with the dense search's winner (the interval of the difference is not "
        f"below 0), at least {100 - 100 * _LESS_THAN_DENSE['flops']:.0f} % fewer FLOPs and "
        f"{100 - 100 * _LESS_THAN_DENSE['latency']:.0f} % less latency"
    )
    dense = findings.models.get("dense")
    others = _sparse(findings)
    if dense is None or not _is_known(dense) or not any(map(_is_known, others)):
        return Goal(text, NOT_YET, "")
    is_reached, lines = False, []
    for model in filter(_is_known, others):
        more = findings.compared(model.final.name, "dense")
        assert more is not None
        flops, latency = _ratios(model, dense)
        is_reached |= (
            more.high >= 0
            and flops <= _LESS_THAN_DENSE["flops"]
            and latency <= _LESS_THAN_DENSE["latency"]
        )
        lines.append(
            f"{model.final.name}: {more.shown(1, signed=True)} BLEU, "
            f"{100 * flops - 100:+.0f} % FLOPs, {100 * latency - 100:+.0f} % latency"
        )
    return Goal(text, _answer(is_reached), "; ".join(lines))


def _as_good_as_random(findings: Findings) -> Iterable[Goal]:
    search = findings.config.search
    pairs = [
        [
            findings.searches.get(search_name(name, budget_name(search.main), seed), {})
            for name in ("ours", "random")
        ]
        for seed in search.seeds
    ]
    text = "ours has at most the loss of random search at equal evaluations, in every search"
    if not all("fitness" in result for pair in pairs for result in pair):
        yield Goal(text, NOT_YET, "")
    else:
        # Random search has fewer evaluations where few random architectures are within the budget.
        figures = ", ".join(
            f"{ours['fitness']:.4f} against {random['fitness']:.4f} "
            f"({ours['n_evaluated']} and {random['n_evaluated']} evaluations)"
            for ours, random in pairs
        )
        is_reached = all(ours["fitness"] <= random["fitness"] for ours, random in pairs)
        yield Goal(text, _answer(is_reached), figures)
    text = "ours has at least the BLEU of random search's winner with every seed of the training"
    models = [findings.models.get(name) for name in ("ours", "random")]
    if not all(model is not None and model.is_complete for model in models):
        yield Goal(text, NOT_YET, "")
        return
    ours, random = (
        {seed: result["test"]["bleu"] for seed, result in model.trainings.items()}
        for model in models
        if model is not None
    )
    figures = ", ".join(f"{ours[seed]:.1f} against {random[seed]:.1f}" for seed in sorted(ours))
    yield Goal(text, _answer(all(ours[seed] >= random[seed] for seed in ours)), figures)


def _ranking(findings: Findings) -> Goal:
    text = (
        "the supernet ranks subnets as the longest trainings alone do, with a Spearman correlation "
        f"of at least {_SPEARMAN:g}"
    )
    shared = findings.supernet_losses()
    values = {
        judge or "first": value
        for judge in findings.judges
        if (value := rank_correlation(shared, findings.alone_losses(judge)))
    }
    if not values:
        return Goal(text, NOT_YET, "")
    shown = [f"{value.shown(2)} for the trainings `{judge}`" for judge, value in values.items()]
    of_longest = next(iter(values.values()))
    figures = f"{', '.join(shown)}, over {len(shared)} subnets"
    return Goal(text, _answer(of_longest.value >= _SPEARMAN), figures)


def _sparse(findings: Findings) -> list[Model]:
    """Return the models that a sparse search of ours found, trained as all others."""
    methods = {
        method.name
        for method in findings.config.search.methods
        if method.kind != "dense" and not method.random
    }
    return [
        model
        for model in findings.models.values()
        if model.final.of.partition(":")[0] in methods and model.is_plain
    ]


def _is_known(model: Model) -> bool:
    return model.is_complete and "fp32" in model.latency and model.flops is not None


def _ratios(model: Model, other: Model) -> tuple[float, float]:
    """Return the FLOPs and the latency of a model as shares of another's."""
    assert model.flops is not None
    assert other.flops is not None
    return model.flops / other.flops, model.latency["fp32"].ms / other.latency["fp32"].ms


def _answer(is_reached: bool) -> str:
    return PASS if is_reached else MISS
