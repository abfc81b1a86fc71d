"""This module reads JSON documents. Its errors name the file, the field and the expected type."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class WorkloadError(ValueError):
    """A workload cannot be run as it is written."""


@dataclass(frozen=True, slots=True)
class FieldReader:
    """A reader of the fields of one JSON object.

    Its methods raise a `WorkloadError` when a field is missing or has another type.

    Attributes:
        value: The decoded JSON.
        where: The file and the path inside it, for messages.
    """

    value: Any
    where: str

    def text(self, field: str) -> str:
        """Return the string in `field`."""
        return str(self._get(field, str))

    def integer(self, field: str) -> int:
        """Return the integer in `field`."""
        return int(self._get(field, int))

    def integers(self, field: str) -> list[int]:
        """Return the list of integers in `field`."""
        items: list[Any] = self._get(field, list)
        for item in items:
            if not isinstance(item, int) or isinstance(item, bool):
                raise self._error(field, "a list of integers", item)
        return items

    def table(self, field: str) -> dict[str, Any]:
        """Return the object in `field`."""
        return dict(self._get(field, dict))

    def child(self, field: str) -> "FieldReader":
        """Return a reader of the object in `field`."""
        return FieldReader(self.table(field), f"{self.where}, {field}")

    def children(self) -> Iterator[tuple[str, "FieldReader"]]:
        """Yield the name of each field of this object, with a reader of the field."""
        for name, value in self.value.items():
            yield name, FieldReader(value, f"{self.where}, {name}")

    def readers(self, field: str) -> list["FieldReader"]:
        """Return a reader for each item of the list in `field`."""
        items = enumerate(self._get(field, list))
        return [FieldReader(item, f"{self.where}, {field}[{index}]") for index, item in items]

    def optional(self, field: str, kind: type) -> Any:
        """Return the value of `field`; None when it is missing or null."""
        if isinstance(self.value, dict) and self.value.get(field) is None:
            return None
        return self._get(field, kind)

    def _get(self, field: str, kind: type) -> Any:
        if not isinstance(self.value, dict):
            raise WorkloadError(f"{self.where} must be an object. Got {self.value!r:.40}.")
        if field not in self.value:
            raise WorkloadError(f"{self.where}: {field!r} is missing. Add it ({kind.__name__}).")
        value = self.value[field]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._error(field, kind.__name__, value)
        return value

    def _error(self, field: str, expected: str, value: Any) -> WorkloadError:
        return WorkloadError(
            f"{self.where}: {field!r} must be {expected}. Got {value!r:.40}. Correct the file."
        )
