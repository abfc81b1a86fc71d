from pathlib import Path

import pytest

from automoe.cli.training import training_settings
from automoe.training import SettingsError, TrainingSettings


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
