"""The benchmark of the demo times whole runs only."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import bench_demo  # after its folder is known


def test_a_run_that_has_begun_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"name": "a", "output": str(tmp_path), "space": {"name": "tiny"}}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**content, "search": {"budget_ms": 1}}))
    monkeypatch.setattr("sys.argv", ["bench_demo.py", str(config)])
    with pytest.raises(SystemExit, match=f"'{tmp_path}' exists, .* Delete it first"):
        bench_demo.main()
