"""Draw the report of a finished run from the files in its folder."""

import json
from collections.abc import Sequence
from dataclasses import MISSING, fields
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
# The fields of a result that a report cannot do without.
_SHOWN = (
    *("architecture_id", "architecture", "certified", "reason", "budget_ms", "workload", "space"),
    *("seed", "automoe_version"),
)
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
    config = _with(_read(folder, CONFIG), ["name"], folder / CONFIG)
    return ReportContents(
        title=f"AutoMoE: {config['name']}",
        result=_with(_read(folder, RESULT), _SHOWN, folder / RESULT),
        candidates=[
            ReportedCandidate(**each) for each in _records(ReportedCandidate, folder / _CANDIDATES)
        ],
        log=read_table(folder / LATENCY_LOG),
        predictor=LatencyModel.open(folder / PREDICTOR).predictor,
        training=[Record(**each) for each in _records(Record, folder / SUPERNET / HISTORY)],
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


def _records(kind: type[Any], path: Path) -> list[dict[str, Any]]:
    """Return the fields of each entry of a file, without those that only another release knows."""
    known = fields(kind)
    needed = [x.name for x in known if x.default is MISSING and x.default_factory is MISSING]
    return [
        {field.name: entry[field.name] for field in known if field.name in entry}
        for entry in _read(path.parent, path.name)
        if _with(entry, needed, path)
    ]


def _with(content: Any, needed: Sequence[str], path: Path) -> dict[str, Any]:
    """Return the content of a file, after a check that it has the fields that are needed."""
    lacking = [name for name in needed if not isinstance(content, dict) or name not in content]
    if lacking:
        raise ConfigError(f"'{path}' lacks '{lacking[0]}'. Run 'automoe run' again.")
    return dict(content)


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
