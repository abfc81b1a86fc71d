from pathlib import Path

from paper_claim.baselines import baseline
from paper_claim.config import ClaimConfig, Experiment
from paper_claim.findings import Findings
from paper_claim.report import write_report

from devices.files import write_json

TINY = Path(__file__).parents[3] / "benchmarks/paper_claim/tiny.yaml"


def test_hours_are_those_of_a_core_however_busy_the_machine_was(tmp_path: Path) -> None:
    experiment = Experiment(ClaimConfig.load(TINY), None, tmp_path / "work", tmp_path / "raw")
    machine = {"device": "d", "cores": 2, "torch": "2", "automoe": "0"}
    busy = {"wall_s": 7200, "cpu_s": 3600, "machine": machine}
    for name in ("supernet", "profile"):  # the processes that measure are not counted in `cpu_s`
        write_json(experiment.results / f"{name}.json", busy)
    write_report(experiment, tmp_path / "report.md")
    report = (tmp_path / "report.md").read_text()
    assert "| supernet |  | 1.00 | 1 |" in report
    assert "| profile |  | 2.00 | 1 |" in report


def test_a_remedy_is_compared_with_the_same_seed_of_the_model_that_it_changes(
    tmp_path: Path,
) -> None:
    config = ClaimConfig.load(TINY)
    experiment = Experiment(config, None, tmp_path / "work", tmp_path / "raw")
    right, wrong = [4, 3, 2, 1, 4, 3, 2, 1, 4, 4], [1, 0, 0, 0, 4, 3, 2, 1, 4, 4]
    trainings = {
        "ours-0": right,
        "ours-1": wrong,
        "ours-balance-0": right,
        "ours-inherited-0": wrong,
    }
    architecture = baseline("switch", config.space).to_dict()
    for name, statistics in trainings.items():
        content = {
            "asked": {"architecture": architecture},
            "routing": {"encoder": [], "decoder": []},
            "test": {"statistics": [statistics] * 20},
        }
        write_json(experiment.results / "training" / f"{name}.json", content)
    findings = Findings(experiment)
    assert findings.unchanged("ours-balance") == findings.unchanged("ours-inherited") == "ours"
    assert findings.unchanged("ours") is findings.unchanged("ours-parity") is None
    same, worse = (findings.compared(f"ours-{name}", "ours") for name in ("balance", "inherited"))
    assert same is not None
    assert worse is not None
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert worse.high < 0
