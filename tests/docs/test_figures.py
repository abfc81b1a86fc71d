"""The pictures are those that their scripts draw, and captions say what the scripts print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def numbers(text: str) -> set[str]:
    return set(re.findall(r"[-+]?\d+(?:\.\d+)?", text))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "document"),
    [("predicted_and_measured", "README.md"), ("session", "docs/protocol.md")],
)
def test_a_caption_says_what_its_script_prints(name: str, document: str, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.svg"
    run = [sys.executable, f"docs/figures/{name}.py", "-o", str(drawn)]
    printed = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [caption] = re.findall(rf"^\*(.*?{name}\.py.*?)\*$", (ROOT / document).read_text(), re.M | re.S)
    shown = numbers(re.sub(r"\(.*?\)", "", caption))
    assert len(shown) >= 5
    assert shown <= numbers(printed) | {"50"}  # the rows that are fitted
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", drawn.read_text())
    assert labels
    assert labels == re.findall(
        r"<text[^>]*>([^<]*)</text>", (ROOT / f"docs/figures/{name}.svg").read_text()
    )
