"""A report is drawn of files that another release wrote, or names the field that they lack."""

import json
import shutil
from pathlib import Path

import pytest

from automoe.pipeline.config import ConfigError
from automoe.pipeline.reporting import report_contents

EARLIER = Path(__file__).parents[2] / "earlier_files" / "run"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(EARLIER, tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *(("result.json", x) for x in ("certified", "space", "architecture")),
        *(("candidates.json", x) for x in ("upper_ms", "architecture_id")),
        *(("supernet/history.json", x) for x in ("update", "valid_loss")),
        ("config.json", "name"),
    ],
)
def test_a_field_that_is_missing_is_named(folder: Path, name: str, field: str) -> None:
    content = json.loads((folder / name).read_text())
    del (content[0] if isinstance(content, list) else content)[field]
    (folder / name).write_text(json.dumps(content))
    message = rf"run/{name}' lacks '{field}'\. Run 'automoe run' again\."
    with pytest.raises(ConfigError, match=message):
        report_contents(folder)


def test_a_field_of_a_later_release_is_left_out(folder: Path) -> None:
    expected = report_contents(folder)
    for name in ("result.json", "candidates.json", "supernet/history.json"):
        content = json.loads((folder / name).read_text())
        (content[0] if isinstance(content, list) else content)["later"] = 1
        (folder / name).write_text(json.dumps(content))
    found = report_contents(folder)
    assert (found.candidates, found.training) == (expected.candidates, expected.training)
