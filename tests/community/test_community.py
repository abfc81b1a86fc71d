"""What people share is measured, names nobody, and fits together."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from predictors import Predictor, fit_log, read_table
from profilers import check, read_shared_log
from profilers.log.identities import identity_in, names_here
from profilers.log.shared_log import schema

COMMUNITY = Path(__file__).parents[2] / "community"
LOGS = sorted((COMMUNITY / "logs").iterdir())
PREDICTORS = sorted((COMMUNITY / "predictors").iterdir())
each_log = pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
each_predictor = pytest.mark.parametrize("path", PREDICTORS, ids=lambda path: path.stem)


def log_of(predictor: Path) -> Path:
    return COMMUNITY / "logs" / f"{predictor.stem}.json"


def test_the_schema_is_that_of_the_program() -> None:
    written = json.loads((COMMUNITY / "shared-log.schema.json").read_text())
    assert written == schema(), "write what profilers.log.shared_log.schema() returns"


def test_every_file_is_in_the_table() -> None:
    page = (COMMUNITY / "README.md").read_text()
    assert LOGS
    assert PREDICTORS
    assert {path.suffix for path in LOGS} == {".json"}
    assert {path.suffix for path in PREDICTORS} == {".predictor"}
    assert [path.stem for path in LOGS if f"| `{path.stem}` |" not in page] == []


@each_log
def test_a_log_may_be_published(log: Path) -> None:
    shared = read_shared_log(log)
    assert shared.device.machine, "run `automoe log share` on the machine that was measured"
    assert len({row["point_id"] for row in shared.rows}) == len(shared.rows) >= 20


@each_log
def test_a_log_has_no_problem(log: Path) -> None:
    assert [problem for problem in check(log) if problem.severity == "problem"] == []


@each_predictor
def test_a_predictor_belongs_to_its_log(path: Path) -> None:
    shared, table = read_shared_log(log_of(path)), read_table(log_of(path))
    predictor = Predictor.load(path)
    assert predictor.conditions["device_fingerprint"] == shared.device.fingerprint
    assert predictor.other_conditions(table) == ()
    assert predictor.report.n_rows == len(shared.rows)
    errors = predictor.predict(table)["predicted_ms"] / table["latency_ms"] - 1
    assert np.abs(errors).mean() < 0.1


@each_predictor
def test_a_predictor_names_nobody(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        texts = _texts(archive.read("schema.json").decode())
    assert {"device_fingerprint", "feature_total_mflops"} <= set(texts)
    names = names_here()
    assert [(text, what) for text in texts if (what := identity_in(text, names))] == []


@pytest.mark.slow
@each_predictor
def test_a_predictor_is_made_of_its_log(path: Path) -> None:
    table = read_table(log_of(path))
    again, shipped = fit_log(log_of(path)), Predictor.load(path)
    assert again.report.winner == shipped.report.winner
    expected = again.predict(table)["predicted_ms"]
    np.testing.assert_allclose(shipped.predict(table)["predicted_ms"], expected, rtol=1e-3)


def _texts(content: object) -> list[str]:
    """Return every text in a JSON value, also those within a text that is JSON."""
    if isinstance(content, dict):
        return [text for pair in content.items() for each in pair for text in _texts(each)]
    if isinstance(content, list):
        return [text for each in content for text in _texts(each)]
    if not isinstance(content, str):
        return []
    try:
        return _texts(json.loads(content))
    except ValueError:
        return [content]
