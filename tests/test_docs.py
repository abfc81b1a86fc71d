"""What the documents name exists."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from support.commands import command_names
from support.scripts import script

import automoe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PACKAGES = ("automoe", "predictors", "profilers", "devices")
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("automoe/**/*.md"),
    *ROOT.glob("community/*.md"),
]

check_links = script("docs/site/check_links.py")
notebook_pages = script("docs/site/notebook_pages.py")
outside_links = script("docs/site/outside_links.py")
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def _named_paths(text: str) -> list[str]:
    """The paths that a page names; one in a table is relative to the last folder in bold."""
    paths, folder = [], ""
    for line in text.splitlines():
        bold = re.match(r"\| \*\*`([\w./-]+)`\*\*", line)
        folder = bold[1] if bold else folder
        for name in re.findall(r"`([\w./-]+)`", line):
            is_path = "/" in name or name.endswith((".md", ".py", ".toml", ".yaml"))
            is_whole = not line.startswith("|") or name.split("/")[0] in PACKAGES
            if is_path:
                paths.append(name if is_whole else f"{folder}/{name}")
    return paths


def test_a_path_in_a_table_is_relative_to_its_folder() -> None:
    text = (
        "| **`devices/linux`** reads | `checks.py` |\n| more | `a/b.py` |\nSee `devices/host.py`."
    )
    assert _named_paths(text) == [
        "devices/linux",
        "devices/linux/checks.py",
        "devices/linux/a/b.py",
        "devices/host.py",
    ]


def test_every_path_of_the_architecture_exists() -> None:
    named = _named_paths((ROOT / "docs/ARCHITECTURE.md").read_text())
    assert len(named) > 100
    assert sorted({name for name in named if not (ROOT / name).exists()}) == []


def test_the_architecture_fits_on_a_few_screens() -> None:
    assert len((ROOT / "docs/ARCHITECTURE.md").read_text().splitlines()) <= 150


def _local_links(document: Path) -> list[str]:
    links = re.findall(r"\]\(([^)#]+)", document.read_text())
    return [link for link in links if not link.startswith(("http", "mailto:"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = _local_links(document)
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_there_are_links_to_follow() -> None:
    assert any(_local_links(document) for document in DOCUMENTS)


_ABSOLUTE_PATH = re.compile(r"(?<![^\s`(\"'=])/\w[\w./-]*")


def test_an_absolute_path_would_be_found() -> None:
    text = "see `/home/me/lat.csv`, (/tmp/x) but not https://a.org/home or tests/tmp"
    assert _ABSOLUTE_PATH.findall(text) == ["/home/me/lat.csv", "/tmp/x"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_no_absolute_path(document: Path) -> None:
    assert _ABSOLUTE_PATH.findall(document.read_text()) == []


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert records
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        headings = re.findall(r"^## (.+)$", record.read_text(), flags=re.M)
        assert headings == ["Context", "Decision", "Consequences"]


def _commands_of_table(page: str) -> set[str]:
    """Return the commands that the table names: `log show\\|check` is "log show", "log check"."""
    rows = re.findall(r"^\| (`.*?) \| ", page, flags=re.M)
    commands = set()
    for name in re.findall(r"`(?:automoe )?(.+?)`", " ".join(rows)):
        group, _, alternatives = name.rpartition(" ")
        commands |= {f"{group} {last}".strip() for last in alternatives.split("\\|")}
    return commands


def test_the_table_of_commands_names_exactly_the_commands() -> None:
    table = (ROOT / "docs/guides/commands.md").read_text()
    assert _commands_of_table(table) == set(command_names())


def test_the_readme_fits_on_two_screens() -> None:
    lines = README.splitlines()
    assert len(lines) <= 120
    [example] = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert len([line for line in example.splitlines() if line]) <= 15


def test_the_example_of_the_readme_prints_what_it_shows() -> None:
    [(example, output)] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.S)
    run = [sys.executable, "-c", example]
    ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == output


def test_the_release_is_in_the_changelog_and_can_be_cited() -> None:
    dates = dict(re.findall(r"^## \[(\d[\d.]*)\] - (\S+)$", CHANGELOG, flags=re.M))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == automoe.__version__
    assert citation["date-released"] == dates[automoe.__version__]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_a_link_of_a_page_is_followed_within_the_site() -> None:
    search = "docs/guides/search.md"
    assert outside_links.address(search, "../adr/0003-conformal-bound.md") == (
        "../adr/0003-conformal-bound.md"
    )
    assert outside_links.address(search, "../../automoe/settings/search.py") == (
        "../files/automoe/settings/search.py.txt"
    )
    assert outside_links.address("CHANGELOG.md", "docs/guides/remote.md") == "guides/remote.md"
    assert outside_links.address("benchmarks/README.md", "../docs/accuracy.md") == "../accuracy.md"
    assert outside_links.address(search, "../notebooks/profile-and-fit.ipynb") == (
        "../notebooks/profile-and-fit.md"
    )
    assert outside_links.links_of("[a](b.md#c) [d](https://e.f/g) [h](#i)") == ["b.md"]
    assert outside_links.links_of("[a](b)\n```python\nf[0](axes)\n```\n[c](d)") == ["b", "d"]


def test_a_notebook_becomes_a_page_with_its_outputs() -> None:
    table = {"text/html": ['<table border="1" class="dataframe">', "</table>"], "text/plain": "t"}
    outputs = [{"text": ["said\n"]}, {"data": table}, {"data": {"text/plain": ["7"]}}]
    outputs.append({"data": {"image/png": "QU\nJD", "text/plain": "<Figure>"}})
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text."]},
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": outputs},
    ]
    assert notebook_pages.page_of(json.dumps({"cells": cells})).split("\n\n") == [
        "# Title\nText.",
        "```python\na = 1\na\n```",
        "```text\nsaid\n```",
        "<table></table>",
        "```text\n7\n```",
        "![The figure that the cell draws](data:image/png;base64,QUJD)\n",
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_executed_and_tells_nothing_of_its_machine(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert counts == list(range(1, len(counts) + 1))
    assert {output["output_type"] for output in outputs} <= {
        "stream",
        "execute_result",
        "display_data",
    }
    assert [each for each in outputs if each.get("name") == "stderr"] == []
    assert re.search(r"/(root|home|tmp)/", json.dumps(outputs)) is None


def test_the_site_has_every_page() -> None:
    written = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    written |= {path.relative_to(ROOT / "docs").with_suffix(".md") for path in NOTEBOOKS}
    pages = {str(path) for path in written if path.parts[0] != "adr"}
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert sorted(page for page in pages if f": {page}\n" not in navigation) == []


def test_the_names_of_the_python_page_are_imported_from_their_headings() -> None:
    page = (ROOT / "docs/api.md").read_text()
    names: list[tuple[str, str]] = []
    for section in page.split("\n## ")[1:]:
        package = section.splitlines()[0]
        names += [(package, path) for path in re.findall(r"^::: (\S+)$", section, flags=re.M)]
    assert len(names) > 20
    for package, path in names:
        home, _, name = path.rpartition(".")
        short = automoe.cost if name == "cost" else import_module(package)
        assert getattr(short, name) is getattr(import_module(home), name), path


def test_a_site_that_leads_nowhere_or_needs_a_network_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">1</a><a href="b.html#there">2</a><a href="c.html">3</a>'
        '<a href="https://x.y/z">4</a><script src="https://x.y/z.js"></script>'
    )
    (tmp_path / "b.html").write_text('<p id="here">5</p><img src="no.svg"><a href="a.html">6</a>')
    (tmp_path / "c.css").write_text("@import 'https://x.y/font.css';")
    assert check_links.problems(tmp_path) == [
        "a.html: loads https://x.y/z.js from a network",
        "a.html: b.html#there names no place of that page",
        "a.html: c.html leads nowhere",
        "b.html: no.svg leads nowhere",
        "c.css: loads from a network",
    ]
