import io
import linecache
import sys
from functools import partial
from pathlib import Path

import joblib
import pytest

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.search import ImportedFitness, ObjectiveError


def n_layers(architecture: Architecture, factor: float = 1.0) -> float:
    return factor * len(architecture.encoder.layers)


def says_nothing(architecture: Architecture) -> None:
    return None


def fails(architecture: Architecture) -> float:
    raise KeyError("width")


twice = partial(n_layers, factor=2.0)


class Told:
    """A callable that says what its values depend on."""

    digest = "told/1"

    def __call__(self, architecture: Architecture) -> float:
        return 1.0


told = Told()
counted = Told()
counted.digest = 1  # type: ignore[assignment]


def is_huge(architecture: Architecture) -> int:
    return 10**400


def leaves(architecture: Architecture) -> float:
    sys.exit(3)


@pytest.mark.parametrize(("name", "factor"), [("n_layers", 1), ("twice", 2)])
def test_a_callable_by_its_name(name: str, factor: int, space: SearchSpace) -> None:
    fitness = ImportedFitness(f"{__name__}:{name}")
    assert fitness(space.largest()) == factor * len(space.largest().encoder.layers)
    assert fitness.digest is None


def test_another_process_needs_its_name_only(space: SearchSpace) -> None:
    sent = io.BytesIO()
    joblib.dump(ImportedFitness(f"{__name__}:n_layers"), sent)
    assert len(sent.getvalue()) < 500


def test_what_a_callable_says_of_its_values_is_believed() -> None:
    # Another function may call its values the same.
    assert ImportedFitness(f"{__name__}:told").digest == f"{__name__}:told/told/1"
    with pytest.raises(ObjectiveError, match="'digest' must be text .* Got int"):
        _ = ImportedFitness(f"{__name__}:counted").digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "fails",
            r":fails failed for architecture \w+ with KeyError: 'width'. Correct the function",
        ),
        ("leaves", r":leaves failed for architecture \w+ with SystemExit: 3"),
        ("is_huge", r":is_huge must return a number for \w+ \w+. Got int"),
        ("says_nothing", r":says_nothing must return a number for \w+ \w+. Got NoneType"),
    ],
)
def test_a_callable_that_does_not_work_is_named(
    name: str, message: str, space: SearchSpace
) -> None:
    with pytest.raises(ObjectiveError, match=message):
        ImportedFitness(f"{__name__}:{name}")(space.largest())


@pytest.mark.parametrize("how", ["score", "partly"])
def test_the_source_of_a_function_tells_whether_it_changed(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    digests = []
    for value in (1, 2):
        (tmp_path / "own_objective.py").write_text(
            "from functools import partial\n"
            f"def score(a, b=0):\n    return {value}.0\n"
            "partly = partial(score, b=1)\n"
        )
        sys.modules.pop("own_objective", None)
        linecache.clearcache()
        digests.append(ImportedFitness(f"own_objective:{how}").source_digest)
    assert digests[0] != digests[1]
    assert all(digests)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blue", "'objective' must be loss, bleu or MODULE:FUNCTION. Got 'blue'"),
        (":f", "'objective' must be loss, bleu or MODULE:FUNCTION. Got ':f'"),
        ("no_such_module:f", "No module named 'no_such_module'. Check the name and PYTHONPATH"),
        (
            "automoe.architecture.space:missing",
            "the module 'automoe.architecture.space' has no 'missing'",
        ),
        ("automoe.architecture.space:PRESETS", "must be callable. Got tuple"),
    ],
)
def test_a_name_that_is_no_callable_is_refused(name: str, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        ImportedFitness(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def score(:\n", "failed with SyntaxError"),
        ("1 / 0\n", "failed with ZeroDivisionError"),
        ("import math\nmath.missing\n", "failed with AttributeError"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_objective.py").write_text(text)
    with pytest.raises(ObjectiveError, match=f"importing 'broken_objective' {message}"):
        ImportedFitness("broken_objective:score")
