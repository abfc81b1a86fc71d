"""This module reads YAML and JSON, so that every file meets the same rules and limits.

A file of settings is written by hand, and both formats accept text that means something else than
its author thinks. Here such a text is an error that names the line:

- A key that is given twice. Both formats would keep the last value without a word.
- A number that is not finite, such as `.inf`, `1e999` or `NaN`.
- Aliases that stand for more values than anybody writes, and nesting without an end.

YAML is read by the rules of its version 1.2: `no`, `off`, `12:30` and `2024-05-01` are text, `010`
is ten and `1e-3` is a number. Only `true` and `false` are truth values.

All four packages read files, and each package imports only what stands below it. So this module is
in the lowest package, although it knows nothing about machines.
"""

import json
import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar

import yaml

MOST_BYTES = 256 * 1024  # of a YAML file; a search space has 500 bytes
MOST_VALUES = 10_000  # of a YAML file, where each alias counts as what it stands for
MOST_LEVELS = 50

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class FileContentError(ValueError):
    """A text is not valid YAML or JSON. The message is one line, which names the line and why."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        FileContentError: The file holds something else. The message names the file and the line.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return parse_yaml(file.read(MOST_BYTES + 1), where=str(path))


def parse_yaml(content: bytes, *, where: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Args:
        content: The text in UTF-8, with or without a byte-order mark.
        where: The name of the text, with which every message begins.

    Raises:
        FileContentError: The text is not valid, or is not a mapping whose keys are text.
    """
    if len(content) > MOST_BYTES:
        raise FileContentError(f"{where}: a YAML file may have {MOST_BYTES // 1024} KiB. Split it.")
    try:
        mapping = _Loader(_text(content)).get_single_data()
    except FileContentError as error:
        raise FileContentError(f"{where}, {error}") from None
    except yaml.MarkedYAMLError as error:
        raise FileContentError(f"{where}, {_explained(error)}") from None
    except yaml.reader.ReaderError as error:
        line = _text(content).count("\n", 0, error.position) + 1
        raise FileContentError(
            f"{where}, line {line}: not valid YAML: the character {chr(error.character)!a}."
        ) from None
    except (yaml.YAMLError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FileContentError(f"{where}: not valid YAML: {reason}.") from None
    if mapping is None:
        raise FileContentError(f"{where}: the file is empty. Write 'key: value' lines.")
    if not isinstance(mapping, dict):
        raise FileContentError(
            f"{where}: the file must hold 'key: value' lines (a mapping). Got {mapping!r:.60}."
        )
    return mapping


def parse_json(content: bytes | str, *, allow_nan: bool = False) -> Any:
    """Return what a JSON text holds.

    Args:
        content: The text, as bytes in UTF-8 with or without a byte-order mark.
        allow_nan: Whether NaN and Infinity are accepted, which JSON does not have.

    Raises:
        FileContentError: The text is not valid.
    """
    text = _text(content) if isinstance(content, bytes) else content.removeprefix("\ufeff")
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_constant=float if allow_nan else _refuse_constant,
            parse_float=float if allow_nan else _finite,
        )
    except json.JSONDecodeError as error:
        raise FileContentError(
            f"line {error.lineno}: not valid JSON: {error.msg} (column {error.colno})"
        ) from None
    except FileContentError:
        raise
    except RecursionError:
        raise FileContentError("the values are nested too deeply") from None
    except ValueError:  # Python limits the number of digits
        raise FileContentError("a number has more digits than can be read") from None


def _text(content: bytes) -> str:
    """Return the text of a file, without a byte-order mark."""
    content = content.removeprefix(_BYTE_ORDER_MARK)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        kind = " (it looks like UTF-16)" if content.startswith(_UTF_16_MARKS) else ""
        raise FileContentError(
            f"line {line}: byte 0x{content[error.start]:02x} is not UTF-8{kind}. "
            "Save the file as UTF-8."
        ) from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FileContentError(f"the key {twice!r:.80} is given twice. Remove one.")
    return mapping


def _refuse_constant(text: str) -> float:
    raise FileContentError(f"{text} is not a finite number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise FileContentError(f"{text:.40} is not a finite number")
    return number


def _explained(error: yaml.MarkedYAMLError) -> str:
    """Return the line and the problem of an error of PyYAML."""
    mark = error.problem_mark or error.context_mark
    line = f"line {mark.line + 1}: " if mark else ""
    problem = " ".join(", ".join(filter(None, [error.context, error.problem])).split())
    if r"'\t'" in problem:
        return f"{line}a tab stands where YAML takes spaces only. Replace it by spaces."
    return f"{line}not valid YAML: {problem}."


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the rules of this module."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 (PyYAML's own type)
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.endswith((":null", ":bool", ":str", ":seq", ":map"))
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._level = 0
        self._values = 0
        self._sizes: dict[yaml.Node, int] = {}  # of each complete node, in values

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node. An alias counts as what it stands for."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark else 0
        is_alias = isinstance(event, yaml.AliasEvent)
        if self._level >= MOST_LEVELS:
            raise FileContentError(f"line {line}: more than {MOST_LEVELS} levels are nested.")
        before = self._values
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        if node is None:
            return None
        if not is_alias:
            self._values += 1
            self._sizes[node] = self._values - before
        elif node in self._sizes:
            self._values += self._sizes[node]
        else:
            raise FileContentError(f"line {line}: an alias stands for a value that contains it.")
        if self._values > MOST_VALUES:
            cause = " with what the aliases stand for" if self.anchors else ""
            raise FileContentError(f"line {line}: more than {MOST_VALUES} values{cause}.")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return a mapping in which no key is given twice and every key is text."""
        node = super().compose_mapping_node(anchor)
        lines: dict[Hashable, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _TAGS_OF_KEYS:
                raise FileContentError(f"line {line}: a key must be text. Quote it.")
            if key.value in lines:
                raise FileContentError(
                    f"line {line}: the key '{key.value:.80}' is given twice, first in line "
                    f"{lines[key.value]}. Remove one."
                )
            lines[key.value] = line
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number, in which leading zeros mean nothing."""
        text = node.value.replace("_", "")
        is_prefixed = text.lstrip("+-")[:2] in {"0x", "0o"}
        try:
            return int(text, 0 if is_prefixed else 10)
        except ValueError:  # Python limits the number of digits
            raise FileContentError(
                f"line {node.start_mark.line + 1}: {text:.40} is not a number that can be read."
            ) from None

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Return a finite number."""
        try:
            return _finite(node.value.replace("_", ""))
        except ValueError:
            raise FileContentError(
                f"line {node.start_mark.line + 1}: {node.value:.40} is not a finite number."
            ) from None


_STR, _INT, _FLOAT, _BOOL = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool")
)
_TAGS_OF_KEYS = (_STR, "tag:yaml.org,2002:merge")
_DIGITS = "0123456789"
_EXPONENT = "(?:[eE][-+]?[0-9]+)"
_PATTERNS = (
    (_BOOL, "true|True|TRUE|false|False|FALSE", "tTfF"),
    (_INT, "[-+]?[0-9][0-9_]*|0o[0-7]+|[-+]?0x[0-9a-fA-F]+", f"-+{_DIGITS}"),
    (
        _FLOAT,
        rf"[-+]?(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*){_EXPONENT}?|[-+]?[0-9][0-9_]*{_EXPONENT}"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        f"-+.{_DIGITS}",
    ),
)
for _tag, _pattern, _first in _PATTERNS:
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), list(_first))
_Loader.add_constructor(_INT, _Loader.construct_yaml_int)
_Loader.add_constructor(_FLOAT, _Loader.construct_yaml_float)
