"""Write docs/licences.md: the licences of what this toolkit installs.

    python docs/write_licences.py

They are read from the metadata of the installed packages. An extra that is not installed is named
with the licence that its project states.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).parent
PAGE = HERE / "licences.md"
_INTRODUCTION = """# Licences of the dependencies

The toolkit is under the MIT licence. `pip install .` brings what follows; nothing of it is copied
into the wheel. The corpus in `automoe/text/en_de_small` has its own licence. The sdist also holds
the corpus in `examples/en-de-office`, which is under MPL-2.0. A CUDA build of torch brings packages
of NVIDIA under NVIDIA's licence, too; here it was a CPU build, on Linux, x86-64.
`python docs/write_licences.py` writes this page from the metadata of the installed packages.
"""
_BY_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF",
}
# What the projects state, for extras that need a GPU, a cluster or much room.
_STATED = {
    "distributed": "BSD-3-Clause",
    "nvidia-cuda-runtime": "NVIDIA's own",
    "nvidia-ml-py": "BSD-3-Clause",
    "optuna": "MIT",
    "pymoo": "Apache-2.0",
    "ray": "Apache-2.0",
    "tensorrt": "NVIDIA's own",
    "tensorrt-rtx": "NVIDIA's own",
    "trackio": "MIT",
    "wandb": "MIT",
}
_IN_FILE = {"skops": "MIT"}  # its metadata name none, its licence file does
_LONGEST = 70


def canonical(name: str) -> str:
    """Return the name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_in(requirements: Iterable[str], *, extra: str = "") -> Iterator[str]:
    """Yield the packages that requirements bring here."""
    for text in requirements:
        required = Requirement(text)
        if required.marker is None or required.marker.evaluate({"extra": extra}):
            yield canonical(required.name)


def licence_of(name: str) -> str | None:
    """Return the licence of an installed package; None when it is not installed.

    Raises:
        ValueError: Nothing says under which licence it is.
    """
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return None
    if expression := metadata.get("License-Expression"):
        return expression.replace("LicenseRef-NVIDIA-Proprietary", "NVIDIA's own")
    classifiers = [
        x.split(" :: ")[-1] for x in metadata.get_all("Classifier", []) if "License" in x
    ]
    known = [_BY_CLASSIFIER[x] for x in classifiers if x in _BY_CLASSIFIER]
    lines = (metadata.get("License") or "").splitlines() or [""]
    licence = ", ".join(known) or _IN_FILE.get(name) or lines[0].removesuffix(" License").strip()
    if not licence or len(licence) > _LONGEST:
        raise ValueError(f"No licence is named by {name}. Read its files and add it here.")
    return licence


def brought_by(names: Iterable[str]) -> set[str]:
    """Return packages and all that they bring here."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        seen.add(name)
        waiting += names_in(requirements)
    return seen


def page() -> str:
    """Return the page."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    direct = sorted(names_in(project["dependencies"]))
    indirect = sorted(brought_by(direct) - set(direct))
    parts = [_INTRODUCTION, _table("What the toolkit uses itself", direct)]
    parts.append(_table("What these bring", indirect))
    extras = {
        name: [x for x in names_in(requirements) if x != "automoe"]
        for name, requirements in sorted(project["optional-dependencies"].items())
        if name != "dev"
    }
    lines = ["## Extras", "", "| extra | package | licence |", "|---|---|---|"]
    for extra, packages in extras.items():
        for name in packages:
            licence = licence_of(name) or f"{_STATED[name]}, as its project states"
            lines.append(f"| `{extra}` | `{name}` | {licence} |")
    return "\n".join([*parts, *lines]) + "\n"


def _table(title: str, names: Iterable[str]) -> str:
    rows = [f"| `{name}` | {licence_of(name)} |" for name in names]
    return "\n".join([f"## {title}", "", "| package | licence |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
