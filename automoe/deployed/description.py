"""This module reads the description of a bundle, and checks its files before they are loaded."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DESCRIPTION = "bundle.json"
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
WEIGHTS = "weights.bin"
PROGRAM = "translate.py"
VOCABULARY = "vocabulary.model"
SHORTLIST, SHORTLIST_GRAPH = "shortlist.bin", "shortlist.onnx"
SCHEMA_VERSION = 2
_LARGEST_DESCRIPTION = 10**6  # bytes
_CHUNK = 1 << 20
_WRONG_CONTENT = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class BundleError(ValueError):
    """A folder that is no bundle, or one whose files are not those that were exported."""


@dataclass(frozen=True)
class Description:
    """What a bundle says of itself.

    Attributes:
        content: The fields of its description.
    """

    content: Mapping[str, Any]

    @property
    def architecture_id(self) -> str:
        """The architecture that was exported."""
        return str(self.content["architecture_id"])

    @property
    def max_positions(self) -> int:
        """The length of the longest source and target, in tokens."""
        return int(self.content["max_positions"])

    @property
    def vocab_size(self) -> int:
        """The number of pieces of the vocabulary."""
        return int(self.content["config"]["vocab_size"])

    @property
    def precision(self) -> str:
        """The precision of weights and activations."""
        return str(self.content["precision"])

    @property
    def n_best(self) -> int:
        """The number of target pieces for each source piece in the shortlist; 0 for none."""
        return int(self.content.get("shortlist", 0))

    @property
    def searched(self) -> dict[str, Any] | None:
        """What a search found out about the architecture: budget, latency, workload and device."""
        found = self.content.get("searched")
        types = {"workload": str, "latency_ms": dict, "device": dict}
        if not isinstance(found, dict):
            return None
        return found if all(isinstance(found.get(x), of) for x, of in types.items()) else None

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """The number of bytes and the SHA-256 of each file, by name."""
        return dict(self.content["files"])

    @classmethod
    def read(cls, folder: Path) -> Description:
        """Return the description of the bundle in a folder.

        Raises:
            BundleError: The folder does not hold a bundle, or another release wrote it.
        """
        path = folder / DESCRIPTION
        try:
            if path.stat().st_size > _LARGEST_DESCRIPTION:
                raise BundleError(f"{path}: not a bundle description (it is too large).")
            description = cls(json.loads(path.read_bytes()))
            version = description.content["schema_version"]
            if version != SCHEMA_VERSION:
                raise BundleError(
                    f"{path}: 'schema_version' must be {SCHEMA_VERSION}. Got {version!r:.20}; "
                    "export the model again with this release of automoe, or upgrade."
                )
            description.require_facts()
        except FileNotFoundError:
            raise BundleError(
                f"No exported model in '{folder}' ({DESCRIPTION} is missing). "
                "Make one with 'automoe export'."
            ) from None
        except BundleError:
            raise
        except _WRONG_CONTENT as error:
            reason = " ".join(repr(error).split())
            raise BundleError(f"{path}: not a bundle description ({reason:.100}).") from None
        return description

    def require_facts(self) -> None:
        """Check that every fact is there, and of its type.

        Raises:
            ValueError, LookupError, TypeError, AttributeError, ArithmeticError: One is not.
        """
        numbers = (self.content["max_positions"], self.content["config"]["vocab_size"])
        if any(type(number) is not int for number in numbers):
            raise TypeError("a number is no integer")
        if min(self.max_positions, self.vocab_size) < 1 or self.n_best < 0:
            raise ValueError("a number is below 1")
        for fact in (self.architecture_id, self.precision):
            if not fact:
                raise ValueError("a name is empty")
        for file in self.files.values():
            if not (isinstance(file["bytes"], int) and isinstance(file["sha256"], str)):
                raise TypeError("a file has no size or no checksum")

    def check_files(self, folder: Path) -> None:
        """Check that every file is the one that was exported.

        Raises:
            BundleError: A file is missing, is no plain file of the folder, or was changed.
        """
        required = [
            ENCODER,
            DECODER,
            WEIGHTS,
            *([SHORTLIST, SHORTLIST_GRAPH] if self.n_best else []),
        ]
        for name in required:
            if name not in self.files:
                raise BundleError(f"{folder}: '{name}' is not among the files of {DESCRIPTION}.")
        for name, expected in self.files.items():
            path = folder / name
            if name != path.name or not name.isprintable():
                raise BundleError(f"{folder}: {name!r:.60} is not the name of a file there.")
            try:
                status = path.lstat()
            except OSError:
                raise BundleError(
                    f"'{path}' is missing. Export the model again, or copy the whole folder."
                ) from None
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"'{path}' must be a plain file. Copy the file itself there.")
            if status.st_size != expected["bytes"] or sha256(path) != expected["sha256"]:
                raise BundleError(
                    f"'{path}' is not the file that was exported: its checksum differs. Export the "
                    "model again, or copy the folder again."
                )


def sha256(path: Path) -> str:
    """Return the digest of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
