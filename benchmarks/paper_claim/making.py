"""This module tells how the results were made: the command, the machine, the text and the hours."""

from typing import Any

from paper_claim.cells import table
from paper_claim.config import BASELINES
from paper_claim.findings import NOT_YET, Findings
from paper_claim.plan import planned_hours

_HOUR = 3600


def making(findings: Findings) -> list[str]:
    """Return the section of the report, in Markdown."""
    config = findings.config
    machines = sorted(
        {
            f"{m['device']}, {m['cores']} cores, torch {m['torch']}, automoe {m['automoe']}"
            for result in _everything(findings)
            for m in [result["machine"]]
        }
    )
    lines = [
        "```bash",
        "python benchmarks/paper_claim run --work FOLDER --text FOLDER",
        "```",
        "",
        "The machine: " + ("; ".join(machines) or NOT_YET) + ".",
        "",
    ]
    if text := findings.single.get("text"):
        per_update = config.final.train.updates / text["batches_of_an_epoch"]
        lines += [
            f"The text has {text['train_pairs']} pairs to learn from, {text['valid_pairs']} to "
            f"validate and {text['test_pairs']} to test; an epoch has "
            f"{text['tokens_of_an_epoch']['target']} target tokens. A final training has "
            f"{config.final.train.updates} updates, {per_update:.1f} epochs, and the same batches "
            "for every model with the same seed.",
            "",
        ]
    header = ["step", "planned (core hours)", "used (core hours)", "results"]
    return [*lines, *table(header, _hours(findings))]


def _hours(findings: Findings) -> list[list[str]]:
    planned = {}
    if {"plan", "text"} <= findings.single.keys():
        timed, text = (findings.single[name] for name in ("plan", "text"))
        planned = planned_hours(findings.config, timed, text)
    baselines = {final.name for final in findings.config.final.models if final.of in BASELINES}
    trainings = findings.trainings.values()
    # A session leaves the work to other processes and has the machine for itself.
    sessions = {
        "profile": [findings.single["profile"]] if "profile" in findings.single else [],
        "measure": list(findings.sessions.values()),
    }
    steps = {
        "tuning": list(findings.tuning.values()),
        "supernet": [findings.single["supernet"]] if "supernet" in findings.single else [],
        "ranking": list(findings.ranking.values()),
        "repeats": list(findings.repeats.values()),
        "supernets": list(findings.supernets.values()),
        "search": list(findings.searches.values()),
        "inherited": list(findings.inherited.values()),
        "baselines": [r for r in trainings if r["asked"]["model"] in baselines],
        "final": [r for r in trainings if r["asked"]["model"] not in baselines],
    }
    return [
        [
            name,
            f"{planned[name]:.2f}" if name in planned else "",
            f"{sum(result[seconds] for result in results) / _HOUR:.2f}",
            str(len(results)),
        ]
        for seconds, group in (("wall_s", sessions), ("cpu_s", steps))
        for name, results in group.items()
    ]


def _everything(findings: Findings) -> list[dict[str, Any]]:
    groups = (
        findings.tuning,
        findings.ranking,
        findings.repeats,
        findings.supernets,
        findings.searches,
        findings.inherited,
        findings.trainings,
    )
    several = [result for group in groups for result in group.values()]
    return [*findings.single.values(), *findings.sessions.values(), *several]
