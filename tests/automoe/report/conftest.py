from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.fits import made_up_report

from automoe.architecture.architecture import (
    Architecture,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
)
from automoe.report import Candidate, ReportContents
from automoe.training import Record
from predictors import ModelScore, Predictor


def found(identifier: str, upper_ms: float, loss: float, generation: int = 0) -> Candidate:
    return Candidate(
        architecture_id=identifier,
        predicted_ms=upper_ms - 1,
        upper_ms=upper_ms,
        loss=loss,
        generation=generation,
    )


@pytest.fixture(scope="session")
def sparse() -> Architecture:
    """Seven experts of seven widths; as all here, made once, because a page takes a second."""
    return Architecture(
        Encoder(24, (EncoderLayer(2, (16, 48, 32)), EncoderLayer(4, (64,)))),
        Decoder(20, (DecoderLayer(4, (8, 40), 2, 2), DecoderLayer(2, (24,), 4, 1))),
        qkv_dim=16,
    )


@pytest.fixture(scope="session")
def candidates(sparse: Architecture) -> list[Candidate]:
    """The front, by hand: fast, then the winner, then slow; `beaten` is worse than the winner."""
    return [
        found("slow", 9.0, 2.0, generation=1),
        found("beaten", 8.0, 3.5),
        found(sparse.id, 7.0, 3.0, generation=1),
        found("fast", 5.0, 4.0),
    ]


@pytest.fixture(scope="session")
def log() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "latency_ms": [4.0, 6.0, 9.0],
            "sentinel_ms": [1.0, 1.02, 1.01],
            "sentinel_drift": [1.0, 1.02, 1.01],
            "flags": ["ci_unmet;contended", np.nan, "contended"],
            "measured_at": [f"2026-01-01T00:0{i}:00+00:00" for i in (1, 0, 2)],
            "runtime": "onnxruntime 1.22.0",
        }
    )


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """Only what a page reads; the rest is never touched."""
    scores = (
        ModelScore("ridge", 0.031, 0.75, 1.0, 0.98, 0.9),
        ModelScore("flops", 0.123, 0.25, 0.5, 0.8, 0.7),
    )
    report = made_up_report(winner="ridge", n_rows=3, models=scores, noise_floor=0.012)
    nothing: Any = None
    return Predictor(
        schema=nothing,
        model=nothing,
        base=None,
        rows=np.ones((3, 1)),
        unseen_ms=np.array([5.0, 5.0, 9.0]),
        ratios=np.array([0.8, 1.2, 1.0]),
        report=report,
        conditions={},
        constants={},
    )


@pytest.fixture(scope="session")
def result(sparse: Architecture) -> dict[str, Any]:
    latency_ms = {
        "predicted": 6.5,
        "lower": 6.0,
        "upper": 7.0,
        "measured": 6.25,
        "ci_low": 6.125,
        "ci_high": 6.375,
    }
    return {
        "schema_version": 1,
        "budget_ms": 7.5,
        "confidence": 0.95,
        "certified": True,
        "reason": "it fits",
        "device": {"name": "cpu", "model": "EPYC", "fingerprint": "abc", "power_mode": "fixed"},
        "workload": "src=6 tgt=6",
        "space": {"name": "tiny", "max_experts": 4, "fractional": True, "count": 1000},
        "seed": 3,
        "automoe_version": "0.1.0",
        "architecture": sparse.to_dict(),
        "architecture_id": sparse.id,
        "latency_ms": latency_ms,
        "bleu": 20.0,
        "bleu_signature": "nrefs:1",
        "valid_loss": 3.0,
        "params": 5000,
        "active_params": 4000.0,
        "embedding_params": 300,
        "flops": 2e6,
        "baseline": {
            "latency_ms": dict.fromkeys(latency_ms) | {"measured": 12.5},
            "bleu": None,
            "params": 4000,
            "active_params": 4000.0,
            "embedding_params": 300,
            "flops": 1e6,
        },
    }


@pytest.fixture(scope="session")
def contents(
    result: dict[str, Any], candidates: list[Candidate], log: pd.DataFrame, predictor: Predictor
) -> ReportContents:
    return ReportContents(
        title="A run",
        result=result,
        candidates=candidates,
        log=log,
        predictor=predictor,
        training=[Record(10, 5.0, None), Record(20, 4.0, 4.5)],
    )
