import json
from pathlib import Path

import pytest

from automoe.cli.training import _conclude, training_settings
from automoe.training import SettingsError, TrainingResult, TrainingSettings
from automoe.training.checkpoint import Record
from automoe.training.kept_weights import FinalWeights


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("updates: 7\nmax_tokens: 90\n")
    settings = training_settings(file, TrainingSettings(updates=5))
    assert (settings.updates, settings.max_tokens) == (5, 90)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("updates: [", "settings.yaml, line 1: not valid YAML"),
        ("- updates", "settings.yaml: the file must hold .* Got "),
        ("updates: 0", r"settings\.yaml: 'updates': .* greater than or equal to 1. Got 0"),
        ("updates: true", r"settings\.yaml: 'updates': .* a valid integer. Got True"),
        ('updates: "10"', r"settings\.yaml: 'updates': .* a valid integer. Got '10'"),
        ("dropout: false", r"settings\.yaml: 'dropout': .* a valid number. Got False"),
        ("lr: 1", r"settings\.yaml: unknown key 'lr'"),
        ("cls: 1", r"settings\.yaml: unknown key 'cls'"),
        (f"updates: {'9' * 400}", r"settings\.yaml: 'updates': .* less than or equal to"),
        (f"warmup_updates: {'9' * 400}", r"'warmup_updates': .* less than or equal to"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        training_settings(file, TrainingSettings())


def test_a_number_that_is_whole_may_be_written_with_an_exponent(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("updates: 1e3\n")
    assert training_settings(file, TrainingSettings()).updates == 1000


def test_a_training_tells_its_outcome_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Record(update=3, train_loss=2.0, valid_loss=1.5, subnet_losses={"smallest": 1.75})
    final = FinalWeights((3,), "best", 1, 1.5, {"smallest": 1.75})
    _conclude(tmp_path, TrainingResult((record,), 2, final), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == str(tmp_path)
    assert (told["resumed_at"], told["final"]["valid_loss"]) == (2, 1.5)
    assert told["history"] == [record.to_dict()]
