"""This module writes the section of the report on how well supernets rank subnets."""

from collections.abc import Mapping
from statistics import mean
from typing import Any

from paper_claim.cells import changes_of, estimate, table
from paper_claim.config import KINDS
from paper_claim.findings import NOT_YET, Findings, rank_correlation


def ranking(findings: Findings) -> list[str]:
    """Return the section: how well supernets rank the subnets that were trained alone."""
    if not findings.ranking:
        return [NOT_YET]
    shared = findings.supernet_losses()
    rows = []
    for name, judge, alone in _judges(findings):
        for kind in ("", *KINDS):
            both = sorted(each for each in shared.keys() & alone if each.startswith(kind))
            if both:
                offset = mean(shared[each] - alone[each] for each in both)
                value = estimate(rank_correlation(shared, alone, kind), places=2)
                rows.append([name, judge, kind or "all", str(len(both)), value, f"{offset:+.3f}"])
    header = ["trained alone", "changes", "kind", "subnets", "Spearman", "mean offset (nats)"]
    return [
        "Subnets were trained alone, and their losses compared with those of the supernet's "
        "weights. A kind whose offset is larger than another's is at a disadvantage in a search.",
        "",
        *table(header, rows),
        *_other_rankings(findings),
    ]


def _judges(findings: Findings) -> list[tuple[str, str, dict[str, float]]]:
    """Return the name, the changes and the losses of each group of trainings alone."""
    section = findings.config.ranking
    first = ("first", f"none ({section.train.updates} updates)", findings.alone_losses())
    others = (
        (each.name, changes_of(each.changes), findings.alone_losses(each.name))
        for each in section.repeats
    )
    return [first, *others]


def _other_rankings(findings: Findings) -> list[str]:
    """Return how well supernets with other settings, and repeated trainings, rank the subnets."""
    judges = _judges(findings)

    def correlations(losses: dict[str, float]) -> list[str]:
        return [
            "" if losses is alone else estimate(rank_correlation(losses, alone), places=2)
            for _, _, alone in judges
        ]

    rows = [
        _supernet_row(
            "the supernet of this page",
            {},
            findings.single.get("supernet"),
            correlations(findings.supernet_losses()),
        )
    ]
    for other in findings.config.ranking.supernets:
        losses = correlations(findings.supernet_losses(other.name))
        trained = findings.supernets.get(other.name)
        rows.append(_supernet_row(other.name, other.changes, trained, losses))
    for name, changes, alone in judges:
        rows.append([f"trained alone, {name}", changes, "", "", *correlations(alone)])
    return [
        "",
        "The same subnets ranked by supernets with other settings, and by the trainings alone "
        "themselves. The loss is that of the largest subnet, and each of the last columns holds "
        "Spearman's correlation with one group of trainings alone.",
        "",
        *table(["ranked by", "changes", "loss", "core s", *(name for name, _, _ in judges)], rows),
    ]


def _supernet_row(
    name: str, changes: dict[str, Any], result: Mapping[str, Any] | None, values: list[str]
) -> list[str]:
    loss = f"{result['history'][-1]['valid_loss']:.3f}" if result else NOT_YET
    seconds = f"{result['cpu_s']:.0f}" if result else NOT_YET
    return [name, changes_of(changes), loss, seconds, *values]
