from pathlib import Path
from typing import Any

import pytest
from paper_claim import searches
from paper_claim.clock import Clock
from paper_claim.config import ClaimConfig, Experiment
from paper_claim.tasks import Task

from automoe.latency.infeasible_budget import InfeasibleBudgetError
from automoe.search import SearchRequest
from devices.files import write_json

TINY = Path(__file__).parents[3] / "benchmarks/paper_claim/tiny.yaml"


@pytest.fixture
def task(tmp_path: Path) -> Task:
    experiment = Experiment(ClaimConfig.load(TINY), None, tmp_path / "work", tmp_path / "raw")
    write_json(experiment.results / "predictor.json", {"manual": {"predicted_ms": 2.0}})
    write_json(experiment.results / "supernet.json", {"weights_sha256": "0"})
    return searches.search_tasks(experiment)[0]


def test_a_search_beside_others_evaluates_in_its_own_process(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[SearchRequest] = []

    def run_search(request: SearchRequest, **_: Any) -> None:
        requests.append(request)
        raise InfeasibleBudgetError("nothing fits")

    monkeypatch.setattr(searches, "run_search", run_search)
    for name in ("require_supernet", "fitted", "preflight_check"):
        monkeypatch.setattr(searches, name, lambda *_, **__: None)
    clock = Clock("t", 0.0, tmp_path / "seconds.jsonl")
    assert task.compute(task, clock) == {"infeasible": "nothing fits"}
    assert [request.jobs for request in requests] == [1]
