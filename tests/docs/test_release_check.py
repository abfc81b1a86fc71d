"""What the checklist of a release sees, and that a build can be repeated byte for byte."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from support.scripts import script

ROOT = Path(__file__).parents[2]
release_check = script("docs/release_check.py")
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n{unreleased}## [{version}] - 2026-11-30\n\nText.\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "automoe").mkdir()
    (tmp_path / "automoe/__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "CITATION.cff").write_text('version: 0.2.0\ndate-released: "2026-11-30"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG.format(unreleased="", version="0.2.0"))
    monkeypatch.setattr(release_check, "ROOT", tmp_path)
    return tmp_path


def test_a_complete_changelog_and_citation_pass(project: Path) -> None:
    release_check.check_changelog()
    release_check.check_citation()


@pytest.mark.parametrize(
    ("unreleased", "version", "message"),
    [
        ("- A change.\n\n", "0.2.0", "move what stands under"),
        ("", "0.1.0", r"write a section '## \[0.2.0\] - DATE'"),
    ],
)
def test_a_changelog_that_is_not_ready_is_told(
    project: Path, unreleased: str, version: str, message: str
) -> None:
    text = CHANGELOG.format(unreleased=unreleased, version=version)
    (project / "CHANGELOG.md").write_text(text)
    with pytest.raises(release_check.StepError, match=message):
        release_check.check_changelog()


def test_a_citation_of_another_date_is_told(project: Path) -> None:
    (project / "CITATION.cff").write_text('version: 0.2.0\ndate-released: "2026-01-01"\n')
    with pytest.raises(release_check.StepError, match="'date-released': '2026-11-30'"):
        release_check.check_citation()


def test_changes_that_are_not_committed_and_a_tag_that_exists_are_told(project: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(project)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    with pytest.raises(release_check.StepError, match="commit or remove what changed"):
        release_check.check_work_tree()
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "all"], check=True)
    release_check.check_work_tree()
    subprocess.run([*git, "tag", "v0.2.0"], check=True)
    with pytest.raises(release_check.StepError, match=r"the tag v0\.2\.0 exists"):
        release_check.check_work_tree()


def test_all_steps_are_walked_even_when_one_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        """The first thing."""
        raise release_check.StepError("do this")

    def holds() -> None:
        """The second thing."""

    monkeypatch.setattr(release_check, "STEPS", (fails, holds))
    assert release_check.main() == 1
    told = capsys.readouterr().out
    assert told.startswith("TO DO The first thing.\n      do this\nok    The second thing.\n")
    assert 'git tag -a "v0.2.0"' in told


def test_without_git_and_network_the_other_steps_are_walked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = project / "python"  # it makes an environment whose pip finds nothing
    python.write_text(
        '#!/bin/sh\nmkdir -p "$3/bin"\n'
        'printf "#!/bin/sh\\necho No matching distribution; exit 1" > "$3/bin/pip"\n'
        'chmod +x "$3/bin/pip"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(release_check.sys, "executable", str(python))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    steps = (release_check.check_work_tree, release_check.check_citation_format)
    monkeypatch.setattr(release_check, "STEPS", (*steps, release_check.check_changelog))
    assert release_check.main() == 1
    told = capsys.readouterr().out
    assert "TO DO All work is committed" in told
    assert "not a git repository" in told
    assert "TO DO The citation is valid CFF" in told
    assert "No matching distribution" in told
    assert "ok    The changelog has" in told
    monkeypatch.setenv("PATH", str(project))
    assert release_check.main() == 1
    assert "git cannot be run: No such file or directory" in capsys.readouterr().out


def test_the_classifiers_begin_with_the_required_python() -> None:
    release_check.check_classifiers()


@pytest.mark.slow
def test_two_builds_of_the_same_files_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764460800")  # 2025-11-30
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    built = []
    for place, name in enumerate(("one", "another")):
        copy = tmp_path / name / "checkout"
        for file in filter(None, listed.split("\0")):
            target = copy / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, target)
            os.utime(target, (place * 1e8, place * 1e8))  # another time of each file
        built.append(release_check.build(copy, tmp_path / name / "dist"))
    first, second = map(release_check.digests, built)
    assert first == second
    assert sorted(Path(name).suffix for name in first) == [".gz", ".whl"]
    with tarfile.open(next(built[0].glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"LICENSE", "README.md", "CITATION.cff", "community/README.md", "tests/conftest.py"}
    assert wanted <= names
