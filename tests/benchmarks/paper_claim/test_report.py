from pathlib import Path

from paper_claim.config import ClaimConfig, Experiment
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
