"""One reader of YAML and JSON tells the traps of both; YAML 1.2 says what plain text means."""

import re
from pathlib import Path

import pytest

from devices.yaml_json import (
    MOST_BYTES,
    MOST_LEVELS,
    MOST_VALUES,
    FileContentError,
    parse_json,
    parse_yaml,
    read_yaml,
)

PRODUCT = ("automoe", "predictors", "profilers", "devices")


@pytest.mark.parametrize(
    ("text", "value"),
    [  # chapter 10.3 of YAML 1.2.2, the core schema
        ("no", "no"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("010", 10),
        ("0o14", 12),
        ("0x3A", 58),
        ("-19", -19),
        ("1e-3", 0.001),
        ("12e03", 12000.0),
        (".5", 0.5),
        ("12:30", "12:30"),
        ("2024-05-01", "2024-05-01"),
        ("'1'", "1"),
        ("3.9.1", "3.9.1"),
    ],
)
def test_plain_text_means_what_yaml_1_2_says(text: str, value: object) -> None:
    read = parse_yaml(f"key: {text}".encode(), where="f")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: 2\n'a': 3", "f, line 3: the key 'a' is given twice, first in line 1"),
        (b"a:\n  b: 1\n  b: 1", "f, line 3: the key 'b' is given twice"),
        (b"a: 1\nb: .inf", "f, line 2: .inf is not a finite number"),
        (b"a: .NaN", "f, line 1: .NaN is not a finite number"),
        (b"a: 1e999", "f, line 1: 1e999 is not a finite number"),
        (b"a: 1\nb: \xfc", "f, line 2: byte 0xfc is not UTF-8. Save"),
        ("a: 1".encode("utf-16"), "f, line 1: byte 0xff is not UTF-8 .it looks like UTF-16"),
        (b"", "f: the file is empty"),
        (b"# only a comment\n", "f: the file is empty"),
        (b"- a", r"f: the file must hold 'key: value' lines .a mapping.. Got \['a'\]"),
        (b"word", "f: the file must hold .* Got 'word'"),
        (b"a:\n\tb: 1", "f, line 2: a tab stands where YAML takes spaces"),
        (b"a: [", "f, line 1: not valid YAML: "),
        (b"a: 1\n---\nb: 1", "f, line 2: not valid YAML: expected a single .* another document"),
        (b"a: 1\nb: \0", r"f, line 2: not valid YAML: the character '.x00'"),
        (b"1: a", "f, line 1: a key must be text"),
        (b"a: &a\n - *a", "f, line 2: an alias stands for a value that contains it"),
        (b"a: !!python/name:os.system x", "f, line 1: not valid YAML: "),
        (b"a: !!bool word", "f: not valid YAML: 'word'"),
        (b"a: !!int word", "f, line 1: word is not a number"),
        (b"a: " + b"9" * 5000, "f, line 1: 9{40} is not a number that can be read"),
        (b"a: " + b"[" * 1000, f"f, line 1: more than {MOST_LEVELS} levels"),
        (b"#" * (MOST_BYTES + 1), "f: a YAML file may have 256 KiB"),
    ],
)
def test_a_trap_of_yaml_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(FileContentError, match=f"^{message}") as caught:
        parse_yaml(content, where="f")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_aliases_count_as_what_they_stand_for() -> None:
    shared = b"a: &a [1, 2]\nb: *a\nc: {<<: &m {x: 1}, y: 2}\nd: {<<: *m, x: 3}"
    content = parse_yaml(shared, where="f")
    assert content == {"a": [1, 2], "b": [1, 2], "c": {"x": 1, "y": 2}, "d": {"x": 3}}
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    # The rows hold 11, 111, 1111 and 11111 values: the fourth is too much.
    with pytest.raises(FileContentError, match=f"f, line 4: more than {MOST_VALUES} values with"):
        parse_yaml("\n".join(rows).encode(), where="f")


def test_a_mark_at_the_beginning_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(tmp_path / "a.yaml") == {"a": 1}
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parse_json('\ufeff{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' is given twice"),
        (b"[\n 1,\n NaN]", "NaN is not a finite number"),
        (b"[-Infinity]", "-Infinity is not a finite number"),
        (b"[1e999]", "1e999 is not a finite number"),
        (b"[1,\n\xff]", "line 2: byte 0xff is not UTF-8"),
        (b"[1,\n}", r"line 2: not valid JSON: .* .column 1."),
        (b"", "line 1: not valid JSON"),
        (b"[" * 100_000, "the values are nested too deeply"),
        (b"1" * 5000, "a number has more digits than can be read"),
    ],
)
def test_a_trap_of_json_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(FileContentError, match=f"^{message}") as caught:
        parse_json(content)
    assert "\n" not in str(caught.value)


def test_what_python_writes_of_a_run_that_diverged_is_read_on_request() -> None:
    assert parse_json("[Infinity, 1e999]", allow_nan=True) == [float("inf")] * 2


def test_no_other_module_reads_files_itself() -> None:
    # Lines that travel between our own processes are no files, nor are members of an archive. The
    # program of a bundle imports nothing of ours.
    wires = re.compile(
        r"workers/|remote/(agent/|ssh)|rtx_parser|costs/trial|plain_archive|automoe/deployed/"
    )
    root = Path(__file__).parents[2]
    readers = [
        file.relative_to(root).as_posix()
        for package in PRODUCT
        for file in sorted((root / package).rglob("*.py"))
        if re.search(r"json\.loads?\(|^import yaml|yaml\.(safe_)?load", file.read_text(), re.M)
    ]
    assert [name for name in readers if not wires.search(name)] == ["devices/yaml_json.py"]
