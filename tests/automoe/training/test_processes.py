"""Two real processes train like one that accumulates twice as many batches."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.small_text import small_space, write_corpus

from automoe.training import SettingsError, TrainingSettings
from automoe.training.model_folder import TrainedModel
from automoe.training.processes import processes, require_precision

SETTINGS = {
    "updates": 4,
    "max_tokens": 60,
    "learning_rate": 0.001,
    "warmup_updates": 2,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "max_sentence": 40,
    "validate_every": 2,
}


@pytest.mark.skipif(processes().device.type != "cpu", reason="this machine has a GPU")
def test_fp16_is_refused_without_a_gpu() -> None:
    require_precision(TrainingSettings(precision="bf16"))
    message = "'precision' may be fp16 on a GPU only.* Got 'fp16'; choose 'bf16' or 'no'"
    with pytest.raises(SettingsError, match=message):
        require_precision(TrainingSettings(precision="fp16"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "accumulate"),
    [
        ({}, 1),
        # Several batches of each process, of which the first ones are not added up at once.
        ({"sampling": "sandwich", "clip_norm": 1.0, "average": 2}, 2),
    ],
    ids=["uniform", "sandwich"],
)
def test_two_processes_equal_one_with_twice_the_batches(
    more: dict[str, Any], accumulate: int, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "text")
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(small_space().model_dump(mode="json")))
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    alone = [sys.executable]
    models, histories = {}, {}
    for name, start, factor in (("two", launch, 1), ("one", alone, 2)):
        settings = tmp_path / f"{name}.yaml"
        content = {**SETTINGS, **more, "accumulate": factor * accumulate}
        settings.write_text(yaml.safe_dump(content))
        arguments = ["train", "--space", space, "--data", corpus.folder, "--settings", settings]
        subprocess.run(
            [*start, "-m", "automoe", *map(str, arguments), "-o", str(tmp_path / name)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
            check=True,
            timeout=300,
        )
        models[name] = TrainedModel.load(tmp_path / name).model.state_dict()
        histories[name] = json.loads((tmp_path / name / "history.json").read_text())
    for name, weight in models["one"].items():
        if name.endswith("key.bias"):
            continue  # its gradient is rounding, which Adam amplifies
        torch.testing.assert_close(weight, models["two"][name], rtol=1e-3, atol=1e-4)
    for one, two in zip(histories["one"], histories["two"], strict=True):
        assert one["subnet_losses"] == pytest.approx(two["subnet_losses"], rel=1e-4)
        for key in ("update", "train_loss", "valid_loss"):
            assert one[key] == pytest.approx(two[key], rel=1e-4)
