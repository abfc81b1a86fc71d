import json
from pathlib import Path

import pytest
from support.exported_model import folder, model, vocabulary
from support.small_text import write_corpus

from automoe.cli.main import main

__all__ = ["folder", "model", "vocabulary"]

Capture = pytest.CaptureFixture[str]


def test_the_difference_to_the_search_is_explained(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    corpus = write_corpus(tmp_path / "text").folder
    command = ["benchmark", str(folder), "--data", str(corpus), "--sentences", "3"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "3" in printed.splitlines()[0]
    assert "is that of the graphs, which is what a search measures" in printed
    assert "The bundle does not know what a search measured" in printed
    description = json.loads((folder / "bundle.json").read_text())
    description["searched"] = {
        "latency_ms": {"predicted": 2.0, "measured": 2.5},
        "workload": "src=5 tgt=4 vocab=26 tables=1 beam=1 routing=balanced",
        "device": {"name": "cpu", "model": "A processor", "cores": 2},
    }
    (folder / "bundle.json").write_text(json.dumps(description))
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "The search measured 2.50 ms on A processor for 'src=5 tgt=4" in printed
    assert main([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["n_sentences"] == 3
    assert content["architecture_id"] == description["architecture_id"]
