"""This module reads and writes the file of a predictor: one skops archive with a version.

The archive holds arrays, and everything else is JSON. AutoMoE's models are stored as a name and a
dictionary, so that a file remains readable when classes are renamed. `predictors.plain_archive`
reads such a file. The files of 0.1.0 hold estimators of scikit-learn too, and skops reads those.
Types other than scikit-learn's own and those in `_TRUSTED` are refused: nothing in a file is
executed. The versions of the libraries are a separate member of the archive, which can be read
even when the others cannot.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from devices.files import replacing
from predictors.features import FeatureSchema
from predictors.models import model_state, restore_model
from predictors.plain_archive import NotPlainError, opened_archive, read_plain
from predictors.report import FitReport

SCHEMA_VERSION: Final = 2

_FORMAT: Final = "automoe-predictor"
_KERNELS = ("ConstantKernel", "Matern", "Product", "Sum", "WhiteKernel")
_TRUSTED = [
    *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
]
_VERSIONS = "made_with.json"
_LIBRARIES = ("automoe", "scikit-learn", "skops", "xgboost")
_AGAIN = "Fit the log again to make a new one."


class PredictorFileError(ValueError):
    """A file that is not a predictor, or that this version cannot read."""


def save_parts(parts: Mapping[str, Any], path: str | Path) -> None:
    """Write the fields of a predictor to one file. The file is replaced at once or not at all."""
    import skops.io  # takes seconds to import, and torch with it

    archive = io.BytesIO(skops.io.dumps(_stored(parts)))
    with zipfile.ZipFile(archive, "a") as members:
        members.writestr(_VERSIONS, json.dumps(_versions_here()))
    with replacing(Path(path)) as complete:
        complete.write_bytes(archive.getvalue())


def made_with(path: str | Path) -> dict[str, str]:
    """Return the versions of the libraries that made a predictor's file.

    The table is empty when the file does not hold them.
    """
    try:
        with opened_archive(Path(path).read_bytes()) as members:
            return TypeAdapter(dict[str, str]).validate_json(members.read(_VERSIONS))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return {}


def _versions_here() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _other_versions(path: Path) -> str:
    """Return a sentence about the libraries whose versions are not those that made a file.

    It is empty when all versions are the same.
    """
    here = _versions_here()
    other = [
        f"{name} {theirs} (here {here.get(name, 'none')})"
        for name, theirs in made_with(path).items()
        if here.get(name) != theirs
    ]
    return f" It was made with {', '.join(other)}." if other else ""


def _stored(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "schema_version": SCHEMA_VERSION,
        "schema": json.dumps(asdict(parts["schema"])),
        "report": json.dumps(asdict(parts["report"])),
        "conditions": json.dumps(parts["conditions"]),
        "constants": json.dumps(parts["constants"]),
        "details": json.dumps(parts["details"]),
        "model": parts["report"].winner,
        "state": model_state(parts["model"]),
        "rows": parts["rows"],
        "unseen_ms": parts["unseen_ms"],
        "ratios": parts["ratios"],
        "groups": parts["groups"],
        "base": None if parts["base"] is None else _stored(parts["base"]),
    }


def load_parts(path: str | Path) -> dict[str, Any]:
    """The fields of the predictor stored in a file.

    Raises:
        PredictorFileError: When the file is missing, damaged, of another format or version, or
            holds a type that is not trusted.
    """
    path = Path(path)
    content = _content(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise PredictorFileError(f"{path} is not a predictor. Give a file made by `fit`.")
    stored_version = content.get("schema_version")
    if stored_version != SCHEMA_VERSION:
        raise PredictorFileError(
            f"{path} has schema_version {stored_version!r}; this release reads {SCHEMA_VERSION}."
            f"{_other_versions(path)} {_AGAIN}"
        )
    try:
        return _parts(content)
    except (AttributeError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise PredictorFileError(f"{path} {_unreadable(path)}") from error


def _content(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PredictorFileError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return read_plain(data)
    except NotPlainError:
        return _estimators_too(path, data)
    except Exception as error:  # an archive can be broken in any way
        raise PredictorFileError(f"{path} {_unreadable(path)}") from error


def _estimators_too(path: Path, data: bytes) -> Any:
    """Return the content of an archive that holds more than numbers, text and arrays."""
    import skops.io  # takes seconds to import, and torch with it
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.loads(data, trusted=_TRUSTED)
    except UntrustedTypesFoundException as error:
        raise PredictorFileError(f"{path} is refused: {error} Only load files you made.") from None
    except Exception as error:  # an archive can be broken in any way
        raise PredictorFileError(f"{path} {_unreadable(path)}") from error


def _unreadable(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        return "is not a predictor, or only a part of one. Give a file made by `fit`."
    versions = _other_versions(path)
    why = "by these versions" if versions else "because it is damaged"
    return f"cannot be read {why}.{versions} {_AGAIN}"


def _parts(content: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": TypeAdapter(FeatureSchema).validate_json(content["schema"]),
        "report": TypeAdapter(FitReport).validate_json(content["report"]),
        "conditions": TypeAdapter(dict[str, str]).validate_json(content["conditions"]),
        "constants": TypeAdapter(dict[str, float]).validate_json(content["constants"]),
        # Files of 0.1.0 have none.
        "details": TypeAdapter(dict[str, Any]).validate_json(content.get("details", "{}")),
        "model": restore_model(content["model"], content["state"]),
        "rows": content["rows"],
        "unseen_ms": content["unseen_ms"],
        "ratios": content["ratios"],
        "groups": content.get("groups"),  # files of 0.1.0 have none
        "base": None if content["base"] is None else _parts(content["base"]),
    }
