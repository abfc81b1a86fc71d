import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from automoe.architecture.routing_pattern import RoutingTrace
from automoe.cli.main import main
from automoe.latency.model import LatencyModel
from predictors import Predictor
from profilers import read_log

EARLIER = Path(__file__).parents[2] / "earlier_files"
COUNTS = {"encoder": [[9, 3, 0], [1, 1, 1]], "decoder": [[5, 7, 2]]}
SPACE = ["--space", "space.yaml", "--max-experts", "3", "--fractional"]
PROFILE = ["profile", "--device", "simulated", *SPACE, "--seed", "1", "--fast"]
SEARCH = [
    *("search", "--supernet", "supernet", "--data", "text", "--confidence", "0.9"),
    *("--generations", "1", "--population", "6", "--parents", "2", "--mutants", "2"),
    *("--crossovers", "2", "--device", "simulated"),
]


@pytest.mark.slow
def test_a_trace_travels_from_the_profile_to_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(EARLIER, tmp_path / "files")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.02")
    (folder / "trace.json").write_text(json.dumps(COUNTS))
    measure = [*PROFILE, "--routing", "trace:trace.json"]
    assert main([*measure, "-n", "12", "--log", "left.csv"]) == 0
    assert main([*measure, "-n", "22", "--log", "left.csv"]) == 0  # goes on
    shutil.copy("left.csv", "right.csv")
    assert main(["log", "merge", "left.csv", "right.csv", "-o", "both.csv"]) == 0
    (folder / "trace.json").unlink()
    assert main(["fit", "both.csv", "-o", "p"]) == 0
    assert "workload_json" in capsys.readouterr().out
    trace = LatencyModel.open("p").workload.routing.trace
    assert trace == RoutingTrace(((9, 3, 0), (1, 1, 1)), ((5, 7, 2),))
    assert main(["predict", "p", "architectures.jsonl", "--confidence", "0.9"]) == 0
    most = max(float(row["latency_ms"]) for row in read_log(Path("both.csv")))
    budget = ["--budget-ms", str(2 * most)]
    assert main([*SEARCH, "--predictor", "p", *budget, "-o", "best.json"]) == 0
    result = json.loads(Path("best.json").read_text())
    assert result["certified"] is True
    assert "workload_json" not in result["predicted_on"]
    with Path("best.json.files/verification.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["workload"] for row in rows} == {
        LatencyModel.open("p").predictor.conditions["workload"]
    }


def test_every_log_tells_its_workload_to_the_predictor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(EARLIER, tmp_path / "files"))
    assert main([*PROFILE, "-n", "20", "--routing", "skewed:1.3", "--log", "new.csv"]) == 0
    assert main(["fit", "new.csv", "-o", "p"]) == 0
    content = Predictor.load("p").details["workload"]
    assert content["routing"] == {"kind": "skewed", "alpha": 1.3, "trace": None, "digest": ""}
    assert (content["src_len"], content["beam"], content["shared_embeddings"]) == (8, 1, True)
    assert asdict(LatencyModel.open("p").workload)["routing"]["alpha"] == 1.3
