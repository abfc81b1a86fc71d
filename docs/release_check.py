"""Walk the release checklist. Each step prints ok, or what is to be done.

    python docs/release_check.py

Nothing is published and no tag is made: the last lines say what to type for that.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
_CITATION_CHECKER = "cffconvert==2.0.0"

_CLASSIFIER = "Programming Language :: Python :: "


class StepError(Exception):
    """A step of the checklist that does not hold. The message says what to do."""


def version() -> str:
    """Return the version of the package."""
    text = (ROOT / "automoe/__init__.py").read_text(encoding="utf-8")
    [number] = re.findall(r'^__version__ = "(.+)"$', text, flags=re.M)
    return str(number)


def check_work_tree() -> None:
    """All work is committed, and the tag of the version is free."""
    if changed := _git("status", "--porcelain"):
        raise StepError(f"commit or remove what changed:\n{changed}")
    if _git("tag", "--list", f"v{version()}"):
        raise StepError(f"the tag v{version()} exists; raise the version in automoe/__init__.py")


def check_changelog() -> None:
    """The changelog has the version with its date, and nothing is unreleased."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, _, rest = text.partition("## [Unreleased]")[2].partition("\n## ")
    if unreleased.strip():
        raise StepError("move what stands under [Unreleased] into a section of the version")
    newest = re.match(r"\[(.+?)\] - (\d{4}-\d\d-\d\d)\n", rest)
    if newest is None or newest[1] != version():
        raise StepError(f"write a section '## [{version()}] - DATE' below [Unreleased]")


def check_citation() -> None:
    """The citation has the version and the date of the changelog."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    dates = dict(
        re.findall(r"^## \[(.+?)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    )
    wanted = {"version": version(), "date-released": dates.get(version())}
    if other := {x: y for x, y in wanted.items() if citation.get(x) != y}:
        raise StepError(f"write into CITATION.cff: {other}")


def check_citation_format() -> None:
    """The citation is valid CFF, by cffconvert, which is installed for that alone."""
    with tempfile.TemporaryDirectory() as folder:
        _run(sys.executable, "-m", "venv", folder)
        _run(f"{folder}/bin/pip", "install", "--quiet", _CITATION_CHECKER)
        _run(f"{folder}/bin/cffconvert", "--validate", "-i", "CITATION.cff")


def check_pages() -> None:
    """The pages that scripts write are as the scripts write them."""
    for script, page in (("write_accuracy", "accuracy"), ("write_licences", "licences")):
        before = (ROOT / f"docs/{page}.md").read_bytes()
        _run(sys.executable, f"docs/{script}.py")
        if (ROOT / f"docs/{page}.md").read_bytes() != before:
            raise StepError(f"docs/{page}.md was old; look at the new one and commit it")


def check_builds() -> None:
    """Two builds give the same bytes, and the wheel holds what it should."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (build(ROOT, Path(folder) / name) for name in ("first", "second"))
        if digests(first) != digests(second):
            raise StepError("two builds differ; compare them with diffoscope")
        [wheel] = first.glob("*.whl")
        _run(sys.executable, "-m", "check_wheel_contents", str(wheel))
        with zipfile.ZipFile(wheel) as members:
            if not any(name.endswith("licenses/LICENSE") for name in members.namelist()):
                raise StepError("the wheel lacks the file LICENSE")


def check_classifiers() -> None:
    """The lowest Python of the classifiers is the one that pip requires."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [x.removeprefix(_CLASSIFIER) for x in project["classifiers"]]
    pythons = [x for x in named if re.fullmatch(r"3\.\d+", x)]
    if not pythons or f">={pythons[0]}" != project["requires-python"]:
        raise StepError(f"requires-python is {project['requires-python']}, classifiers {pythons}")


STEPS: tuple[Callable[[], None], ...] = (
    *(check_work_tree, check_changelog, check_citation, check_citation_format),
    *(check_classifiers, check_pages, check_builds),
)
BY_HAND = (
    "bash .ci/run && make slow",
    'git tag -a "v{version}" -m "{version}" && git push --tags',
    "make wheel && python -m twine upload dist/*",
)


def build(source: Path, out: Path) -> Path:
    """Build the sdist, and the wheel from it, into a folder, and return the folder.

    Args:
        source: A checkout, or a copy of it.
        out: The folder.

    Raises:
        StepError: The build failed. The message has its last lines.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct")
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    _run(*command, environment=environment)
    return out


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, by name."""
    files = sorted(folder.iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _git(*words: str) -> str:
    return _run("git", *words).strip()


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    """Run a command in the project, and return what it prints.

    Raises:
        StepError: It failed or is not there. The message has its last lines.
    """
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    except OSError as error:
        raise StepError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        raise StepError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def main() -> int:
    """Walk all steps, and return 1 when one does not hold."""
    n_failed = 0
    for step in STEPS:
        what = (step.__doc__ or "").splitlines()[0]
        try:
            step()
            print(f"ok    {what}", flush=True)
        except StepError as error:
            n_failed += 1
            print(f"TO DO {what}\n      {error}".rstrip(), flush=True)
    print(f"\nThen by hand, for version {version()}:")
    for command in BY_HAND:
        print(f"      {command.format(version=version())}")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
