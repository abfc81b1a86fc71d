"""The page of licences names every package that the project asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from support.scripts import script

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/licences.md").read_text()
write_licences = script("docs/write_licences.py")


def test_every_package_has_a_licence_on_the_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {x: y for x, y in project["optional-dependencies"].items() if x != "dev"}
    asked = [*project["dependencies"], *(each for needed in extras.values() for each in needed)]
    names = set(write_licences.names_in(asked)) - {"automoe"}
    listed = dict(re.findall(r"`([\w-]+)` \| ([^`|]+) \|$", PAGE, flags=re.M))
    assert len(names) > 20
    assert names - listed.keys() == set()
    assert all(listed.values())
    assert "None" not in listed.values()
    assert [x for x in listed.values() if re.search(r"\bA?GPL", x)] == []


def test_every_corpus_is_on_the_page() -> None:
    texts = {path.parent.relative_to(ROOT) for path in ROOT.glob("[ae]*/**/train.de*")}
    assert len(texts) == 2
    assert [path for path in texts if f"`{path}`" not in PAGE] == []
    assert (ROOT / "examples/en-de-office/LICENSE-MPL-2.0.txt").is_file()
    assert "`examples/en-de-office`, which is under MPL-2.0" in PAGE


def test_what_a_package_brings_is_followed() -> None:
    assert {"scikit-learn", "joblib", "threadpoolctl"} <= write_licences.brought_by(["skops"])
    assert write_licences.brought_by(["no-such-package"]) == set()


def test_licences_are_read_from_the_metadata() -> None:
    assert write_licences.licence_of("pydantic") == "MIT"
    assert write_licences.licence_of("no-such-package") is None


def test_a_package_of_another_system_is_left_out() -> None:
    requirements = ["One>=1", "two; sys_platform == 'win32'", "three; extra == 'more'"]
    assert list(write_licences.names_in(requirements)) == ["one"]
    assert list(write_licences.names_in(requirements, extra="more")) == ["one", "three"]


def test_a_package_without_a_licence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unlicensed:
        metadata: dict[str, str] = {}  # noqa: RUF012

    Unlicensed.metadata = type("M", (dict,), {"get_all": lambda self, name, default: default})()
    monkeypatch.setattr(write_licences, "distribution", lambda name: Unlicensed)
    with pytest.raises(ValueError, match="No licence is named by theirs. Read its files"):
        write_licences.licence_of("theirs")
