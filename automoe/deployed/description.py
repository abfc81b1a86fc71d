"""This module reads the description of a bundle, and checks its files before they are loaded."""

from __future__ import annotations

import hashlib
import json
import re
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
_LARGEST_NUMBER = 1e18  # no size, cost or latency is near it
_SMALLEST_WEIGHT = 2  # bytes of a weight of embeddings, which are float16 or float32
_CHUNK = 1 << 20
# What a terminal obeys or cannot show: control characters, other directions of writing, surrogates.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)
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
        if not path.exists():
            raise BundleError(
                f"No exported model in '{folder}' ({DESCRIPTION} is missing). "
                "Make one with 'automoe export'."
            )
        if (n_bytes := require_plain_file(path)) > _LARGEST_DESCRIPTION:
            raise BundleError(
                f"{path}: not a bundle description ({n_bytes} bytes are too large). Export the "
                "model again."
            )
        try:
            description = cls(json.loads(path.read_bytes()))
            version = description.content["schema_version"]
            if version != SCHEMA_VERSION:
                raise BundleError(
                    f"{path}: 'schema_version' must be {SCHEMA_VERSION}. Got {version!r:.20}; "
                    "export the model again with this release of automoe, or upgrade."
                )
            description.require_facts()
        except BundleError:
            raise
        except _WRONG_CONTENT as error:
            reason = in_one_line(str(error) if type(error) is ValueError else repr(error))
            raise BundleError(
                f"{path}: not a bundle description ({reason:.150}). Export the model again."
            ) from None
        return description

    def require_facts(self) -> None:
        """Check that every fact is there, and of its type.

        Raises:
            ValueError, LookupError, TypeError, AttributeError, ArithmeticError: One is not.
        """
        _require_plain(self.content)
        config = self.content["config"]
        for size, value in {
            "max_positions": self.content["max_positions"],
            "shortlist": self.content.get("shortlist", 1),
            "vocab_size": config["vocab_size"],
            "encoder.embed_dim": config["architecture"]["encoder"]["embed_dim"],
            "decoder.embed_dim": config["architecture"]["decoder"]["embed_dim"],
        }.items():
            if type(value) is not int or value < 1:
                raise ValueError(f"'{size}' must be an integer from 1. Got {value!r:.40}")
        for side in ("encoder", "decoder"):
            if not isinstance(layers := config["architecture"][side]["layers"], list):
                raise ValueError(f"'{side}.layers' must be a list. Got {layers!r:.40}")
        for fact in (self.architecture_id, self.precision):
            if not fact:
                raise ValueError("a name is empty")
        for name, file in self.files.items():
            if type(file["bytes"]) is not int or not isinstance(file["sha256"], str):
                raise ValueError(f"'{name:.60}' has no size or no checksum")

    def check_files(self, folder: Path) -> None:
        """Check that every file is the one that was exported, and that the sizes fit together.

        Other files may lie beside them, because nothing reads those.

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
                raise BundleError(
                    f"{folder}: '{name}' is not among the files of {DESCRIPTION}. Export the model "
                    "again."
                )
        self._require_room(self.files[WEIGHTS]["bytes"], folder)
        for name, expected in self.files.items():
            path = folder / name
            if name != path.name:
                raise BundleError(
                    f"{folder}: {name!r:.60} is not the name of a file there. Export the model "
                    "again."
                )
            if require_plain_file(path) != expected["bytes"] or sha256(path) != expected["sha256"]:
                raise BundleError(
                    f"'{path}' is not the file that was exported: its checksum differs. Export the "
                    "model again, or copy the folder again."
                )

    def _require_room(self, n_bytes: int, folder: Path) -> None:
        """Check that the file of weights can hold the tables of pieces and of positions."""
        width = self.content["config"]["architecture"]["decoder"]["embed_dim"]
        if (self.vocab_size + self.max_positions) * width * _SMALLEST_WEIGHT > n_bytes:
            raise BundleError(
                f"{folder}: '{WEIGHTS}' of {n_bytes} bytes has no room for {self.vocab_size} "
                f"pieces and {self.max_positions} positions of width {width}. Export the model "
                "again."
            )


def _require_plain(content: object) -> None:
    """Check that no number is negative or beyond every size, and that a terminal can show texts."""
    if isinstance(content, dict):
        content = [*content, *content.values()]
    if isinstance(content, list):
        for value in content:
            _require_plain(value)
    elif isinstance(content, str) and _CONTROL.search(content):
        raise ValueError(f"a text must have no control characters. Got {content!r:.40}")
    elif isinstance(content, int | float) and not 0 <= content <= _LARGEST_NUMBER:
        raise ValueError(f"a number must be from 0 to {_LARGEST_NUMBER:.0e}. Got {content!r:.40}")


def in_one_line(text: str) -> str:
    """Return a text of a stranger as a terminal may show it."""
    return " ".join(_CONTROL.sub(" ", text).split())


def require_plain_file(path: Path) -> int:
    """Return the number of bytes of a file, after a check that it is one, and no link to one.

    Raises:
        BundleError: It is missing or is none.
    """
    try:
        status = path.lstat()
    except OSError:
        raise BundleError(
            f"'{path}' is missing. Export the model again, or copy the whole folder."
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"'{path}' must be a plain file. Copy the file itself there.")
    return status.st_size


def sha256(path: Path) -> str:
    """Return the digest of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
