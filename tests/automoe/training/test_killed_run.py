"""A process that is killed with SIGKILL loses nothing but the updates since its checkpoint."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.small_text import small_space, write_corpus

from automoe.training import TrainingSettings, train_supernet
from automoe.training.model_folder import TrainedModel

PROGRAM = """
import os, signal, sys
from pathlib import Path
import torch
from support.small_text import small_space, write_corpus
from automoe.training import TrainingSettings, train_supernet

torch.set_num_threads(1)
folder, settings = Path(sys.argv[1]), TrainingSettings.model_validate_json(sys.argv[2])

def kill(done, total, note=""):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

corpus = write_corpus(folder / "text")
train_supernet(small_space(), corpus, settings, folder=folder / "killed", on_progress=kill)
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_weights(
    tmp_path: Path, settings: TrainingSettings
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), settings.model_dump_json()],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL
    corpus, space = write_corpus(tmp_path / "text"), small_space()
    result = train_supernet(space, corpus, settings, folder=tmp_path / "killed")
    assert result.resumed_at == 3
    whole = train_supernet(space, corpus, settings, folder=tmp_path / "whole")
    assert whole.resumed_at == 0
    assert whole.history == result.history
    expected, found = (
        TrainedModel.load(tmp_path / name).model.state_dict() for name in ("whole", "killed")
    )
    for name, weight in expected.items():
        assert torch.equal(weight, found[name]), name
