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
        ("updates: 0", "'updates': .* greater than or equal to 1. Got 0"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        training_settings(file, TrainingSettings())
