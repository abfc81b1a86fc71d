"""What the documents name exists."""

import re
from pathlib import Path

import pytest
from support.commands import command_names

ROOT = Path(__file__).parents[1]
PACKAGES = ("automoe", "predictors", "profilers", "devices")
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("automoe/**/*.md")]


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


def _commands_of_table(readme: str) -> set[str]:
    """Return the commands that the table names: `log show\\|check` is "log show", "log check"."""
    section = readme.split("\n## Commands\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| ", section, flags=re.M)
    commands = set()
    for name in re.findall(r"`(?:automoe )?(.+?)`", " ".join(rows)):
        group, _, alternatives = name.rpartition(" ")
        commands |= {f"{group} {last}".strip() for last in alternatives.split("\\|")}
    return commands


def test_the_command_table_of_the_readme_names_exactly_the_commands() -> None:
    assert _commands_of_table((ROOT / "README.md").read_text()) == set(command_names())
