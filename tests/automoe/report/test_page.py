import re
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automoe.report import Candidate, ReportContents, render
from automoe.report.contents import pareto_front
from automoe.report.drawing import draw_architecture
from automoe.space import SearchSpace
from automoe.training import Record
from predictors import fit_log


def entry(space: SearchSpace, measured: float | None) -> dict[str, Any]:
    architecture = space.sample(Random(1))
    return {
        "architecture_id": architecture.id,
        "architecture": architecture.to_dict(),
        "latency_ms": {
            "predicted": 7.5,
            "lower": 7.0,
            "upper": 8.0,
            "measured": measured,
            "ci_low": None,
            "ci_high": None,
        },
        "bleu": 12.0,
        "bleu_signature": "sig",
        "params": 1000,
        "active_params": 500.0,
        "flops": 2e6,
    }


@pytest.fixture
def result(tiny: SearchSpace) -> dict[str, Any]:
    return {
        **entry(tiny, 6.0),
        "budget_ms": 9.0,
        "confidence": 0.95,
        "certified": True,
        "reason": "measured & within",
        "device": None,
        "workload": "src=24",
        "space": {"name": "tiny", "max_experts": 4, "fractional": True, "count": 10},
        "seed": 0,
        "automoe_version": "0",
        "baseline": entry(tiny, 12.0),
    }


def contents(result: dict[str, Any], **more: Any) -> ReportContents:
    given = {"candidates": (), "log": None, "predictor": None, "training": (), **more}
    return ReportContents(title="A <script> title", result=result, **given)


def candidate(predicted_ms: float, loss: float) -> Candidate:
    return Candidate(
        architecture_id="x", predicted_ms=predicted_ms, upper_ms=9, loss=loss, generation=0
    )


def test_pareto_front_by_hand() -> None:
    a, b, c, d = candidate(1, 5), candidate(2, 6), candidate(3, 4), candidate(3, 5)
    assert pareto_front([d, c, b, a]) == [a, c]


def test_numbers_ratios_and_dashes(result: dict[str, Any]) -> None:
    page = render(contents(result))
    cells = re.findall(r'<th scope="row">latency, measured</th>(.*)</tr>', page)[0]
    assert re.findall(r"<td>(.*?)</td>", cells) == ["6 ms", "12 ms", "0.50"]
    low = re.findall(r'<th scope="row">95 % interval, low</th>(.*)</tr>', page)[0]
    assert re.findall(r"<td>(.*?)</td>", low) == ["\N{EN DASH}"] * 3


def test_what_others_wrote_is_escaped(result: dict[str, Any]) -> None:
    page = render(contents(result))
    assert "A &lt;script&gt; title" in page
    assert "measured &amp; within" in page
    assert "<script" not in page


def test_every_expert_is_a_bar(tiny: SearchSpace) -> None:
    architecture = tiny.sample(Random(3))
    layers = (*architecture.encoder.layers, *architecture.decoder.layers)
    drawn = draw_architecture(architecture)
    assert drawn.count("<rect") == sum(len(layer.experts) for layer in layers)


def test_a_full_page_loads_nothing_and_is_reproducible(result: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    work = rng.uniform(1, 5, 30)
    log = pd.DataFrame(
        {
            "feature_gflops": work,
            "latency_ms": 3 * work * rng.lognormal(0, 0.02, 30),
            "sentinel_drift": rng.normal(1, 0.01, 30),
            "flags": ["contended;ci_unmet", *["contended"] * 2, *[""] * 27],
            "measured_at": [f"2026-01-01T00:00:{i:02}" for i in range(30)],
            "runtime": "onnxruntime 1",
        }
    )
    full = contents(
        result,
        candidates=[candidate(3, 4), candidate(4, 3)],
        log=log,
        predictor=fit_log(log),
        training=[Record(10, 5.0, None), Record(20, 4.0, 4.5)],
    )
    page = render(full)
    assert page == render(full)
    assert page.count("<figure") == 6
    assert "ci_unmet 1, contended 3" in page
    resources = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    assert [name for name in resources if not name.startswith("data:")] == []
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 20


def test_what_is_missing_has_no_section(result: dict[str, Any]) -> None:
    page = render(contents(result))
    for heading in ("Search", "Latency predictor", "Measuring", "Supernet"):
        assert f"<h2>{heading}</h2>" not in page
