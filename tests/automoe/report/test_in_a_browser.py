"""The pages in Chromium: on a telephone and on a desk, in the light and in the dark.

What is checked: no message on the console, no scrolling of the page to the side, text large enough
to read, and the rules of axe-core, which include contrast and what a keyboard reaches.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automoe.report import (
    ReportContents,
    render,
    render_comparison,
    render_fit,
    render_log,
)

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
AXE = find_spec("axe_core_python")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed"),
]
# Chromium draws every text of these charts at least this high, in pixels.
READABLE_PX = 9
PROBE = """
const lines = cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return [cell.textContent, new Set([...range.getClientRects()].map(r => r.top)).size];
};
axe.run({resultTypes: ['violations']}).then(found => {
  const texts = [...document.querySelectorAll('svg text')];
  const report = {
    violations: found.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))]),
    width: innerWidth,
    over: document.documentElement.scrollWidth - innerWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    cut: [...document.querySelectorAll('.numbers')]
      .filter(t => t.parentElement.scrollWidth > t.parentElement.clientWidth + 1)
      .map(t => t.parentElement.getAttribute('aria-label')),
    broken: [...document.querySelectorAll('td, time')].map(lines)
      .filter(([text, n]) => /^[\\d.,]+( ms| %)?$|UTC$/.test(text) && n > 1),
    smallest: Math.min(...texts.map(t => t.getBoundingClientRect().height)),
  };
  const out = document.createElement('pre');
  out.id = 'probe';
  out.textContent = JSON.stringify(report);
  document.body.append(out);
});
"""


@pytest.fixture(scope="module")
def pages(
    contents: ReportContents, log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Every kind of page, with everything that it can show."""
    folder = tmp_path_factory.mktemp("pages")
    table = folder / "a-log-of-others.csv"
    table.write_text("batch,latency_ms\n" + "".join(f"{i},{i + 0.5}\n" for i in range(1, 40)))
    session = log.assign(
        ci_low_ms=log["latency_ms"] * 0.98,
        ci_high_ms=log["latency_ms"] * 1.02,
        point_id=[contents.result["architecture_id"], "0123456789ab", "ba9876543210"],
    )
    flagged = {**contents.result["latency_ms"], "flags": ["contended", "ci_unmet"]}
    loads = {"encoder 1": [0.2, 0.3, 0.5], "decoder 1": [0.4, 0.6]}
    full = replace(
        contents,
        result={**contents.result, "latency_ms": flagged, "expert_load": loads},
        verification=[session, session.iloc[:1]],
        config='{"name": "a run"}',
        folder="runs/a-run",
    )
    assert contents.predictor is not None
    return {
        "run": render(full),
        "fit": render_fit(contents.predictor, log="mine.csv", command="automoe fit mine.csv"),
        "log": render_log(table, command="automoe log show mine.csv --html log.html"),
        "comparison": render_comparison(contents, replace(full, title="AutoMoE: another")),
    }


@pytest.fixture(scope="module")
def probed(
    pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[dict[str, Any], str]]:
    """A function that opens a page in Chromium and returns the report and the console."""
    assert AXE is not None
    assert AXE.origin is not None
    axe = Path(AXE.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("probed")

    def probe(name: str, width: int, *, is_dark: bool) -> tuple[dict[str, Any], str]:
        scripts = f"<script>{axe}</script><script>{PROBE}</script></body>"
        path = folder / f"{name}.html"
        path.write_text(pages[name].replace("</body>", scripts), encoding="utf-8")
        done = subprocess.run(
            [
                str(CHROMIUM),
                *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"),
                f"--blink-settings=preferredColorScheme={0 if is_dark else 1}",
                *(f"--window-size={width},900", f"--user-data-dir={folder / 'profile'}"),
                path.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        report = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, flags=re.S)
        assert report, done.stderr[-2000:]
        return json.loads(unescape(report[1])), done.stderr

    return probe


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("name", ["run", "fit", "log", "comparison"])
def test_a_page_is_readable(
    probed: Callable[..., tuple[dict[str, Any], str]], name: str, width: int, is_dark: bool
) -> None:
    report, console = probed(name, width, is_dark=is_dark)
    assert report["width"] == width
    assert report["paper"] == ("rgb(22, 22, 22)" if is_dark else "rgb(255, 255, 255)")
    assert "CONSOLE" not in console
    assert report["over"] <= 0
    assert report["cut"] == []
    assert report["broken"] == []
    assert report["violations"] == []
    assert report["smallest"] >= READABLE_PX


def test_the_probe_sees_what_is_wrong(
    pages: dict[str, str], probed: Callable[..., tuple[dict[str, Any], str]]
) -> None:
    spoilt = "<div style='width: 3000px; color: #999; background: #fff'>pale</div>"
    spoilt += "<table style='width: 1px'><td>12.5 ms</td></table><script>missing()</script>"
    pages["spoilt"] = pages["log"].replace("</main>", f"{spoilt}</main>")
    report, console = probed("spoilt", 400, is_dark=False)
    assert "color-contrast" in [rule for rule, _ in report["violations"]]
    assert report["over"] > 2000
    assert report["broken"] == [["12.5 ms", 2]]
    assert "missing is not defined" in console
