"""Draw the report of a finished run from the files in its folder."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from automoe.latency.model import LatencyModel
from automoe.pipeline.config import ConfigError
from automoe.report import Candidate as ReportedCandidate
from automoe.report import ReportContents, render
from automoe.run_files import (
    CONFIG,
    LATENCY_LOG,
    PREDICTOR,
    RESULT,
    SUPERNET,
    VERIFICATION,
)
from automoe.search import Candidate
from automoe.training import Record
from automoe.training.supernet_run import HISTORY
from devices.files import write_json
from devices.yaml_json import parse_json
from predictors import read_table

_CANDIDATES = "candidates.json"


_VERIFICATIONS = (VERIFICATION, VERIFICATION.replace(".csv", "-again.csv"))


def draw_report(folder: Path, out: Path) -> None:
    """Write the report of the run in ``folder`` to ``out``.

    Raises:
        ConfigError: The folder does not hold a finished run.
        LogError, PredictorFileError: One of its files is damaged.
    """
    contents = report_contents(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(contents), encoding="utf-8")


def report_contents(folder: Path) -> ReportContents:
    """Return what a report shows of the run in ``folder``.

    Raises:
        As `draw_report`.
    """
    config = _read(folder, CONFIG)
    return ReportContents(
        title=f"AutoMoE: {config['name']}",
        result=_read(folder, RESULT),
        candidates=[ReportedCandidate(**each) for each in _read(folder, _CANDIDATES)],
        log=read_table(folder / LATENCY_LOG),
        predictor=LatencyModel.open(folder / PREDICTOR).predictor,
        training=[Record(**each) for each in _read(folder / SUPERNET, HISTORY)],
        verification=[
            read_table(path) for path in (folder / name for name in _VERIFICATIONS) if path.exists()
        ],
        config=json.dumps(config, indent=2),
        folder=str(folder),
    )


def keep_candidates(folder: Path, candidates: Sequence[Candidate]) -> None:
    """Write the architectures that a search evaluated, as the report shows them."""
    names = [field.name for field in fields(ReportedCandidate) if field.name != "architecture_id"]
    shown = [
        {"architecture_id": each.architecture.id, **{name: getattr(each, name) for name in names}}
        for each in candidates
    ]
    write_json(folder / _CANDIDATES, shown)


def _read(folder: Path, name: str) -> Any:
    path = folder / name
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            f"'{path}' is missing, so this is no finished run. Finish it with 'automoe run'."
        ) from None
    except ValueError as error:
        raise ConfigError(f"'{path}' is damaged ({error}). Run 'automoe run' again.") from None
