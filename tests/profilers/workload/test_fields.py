from typing import Any

import pytest

from profilers import WorkloadError
from profilers.workload.fields import FieldReader


def reader(value: Any) -> FieldReader:
    return FieldReader(value, "w.json")


def test_reads_what_is_there() -> None:
    fields = reader({"t": "x", "i": 3, "l": [1, 2], "o": {"k": None}})
    assert fields.text("t") == "x"
    assert fields.integer("i") == 3
    assert fields.integers("l") == [1, 2]
    assert fields.table("o") == {"k": None}


def test_an_optional_field_may_be_missing_or_null() -> None:
    fields = reader({"null": None, "seed": 3})
    assert fields.optional("missing", int) is None
    assert fields.optional("null", int) is None
    assert fields.optional("seed", int) == 3


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        ("text", 3, "w.json: 'f' must be str. Got 3. Correct the file."),
        ("integer", "3", "w.json: 'f' must be int. Got '3'. Correct the file."),
        ("integer", True, "w.json: 'f' must be int. Got True."),
        ("integer", 1.0, "w.json: 'f' must be int. Got 1.0."),
        ("integers", 3, "w.json: 'f' must be list. Got 3."),
        ("integers", [1, "2"], "w.json: 'f' must be a list of integers. Got '2'."),
        ("integers", [1, True], "w.json: 'f' must be a list of integers. Got True."),
        ("table", [], r"w.json: 'f' must be dict. Got \[\]."),
    ],
)
def test_another_type_is_refused(read: str, value: object, message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        getattr(reader({"f": value}), read)("f")


def test_a_missing_field_is_named_with_its_type() -> None:
    with pytest.raises(WorkloadError, match=r"w.json: 'f' is missing. Add it \(str\)."):
        reader({}).text("f")


@pytest.mark.parametrize("read", ["text", "table", "child", "readers"])
def test_a_field_of_what_is_no_object_is_refused(read: str) -> None:
    with pytest.raises(WorkloadError, match=r"w.json must be an object. Got \[1\]."):
        getattr(reader([1]), read)("f")


def test_an_optional_field_of_the_wrong_type_or_place_is_refused() -> None:
    with pytest.raises(WorkloadError, match="w.json: 'seed' must be int. Got 'x'."):
        reader({"seed": "x"}).optional("seed", int)
    with pytest.raises(WorkloadError, match="w.json must be an object. Got 3."):
        reader(3).optional("seed", int)


def test_a_long_value_is_cut_short() -> None:
    with pytest.raises(WorkloadError, match=r"Got '1{39}\. Correct"):
        reader({"f": "1" * 1000}).integer("f")


def test_messages_say_where_inside_the_file() -> None:
    fields = reader({"calls": [{}, {"inputs": {"x": {"shape": 3}}}]})
    _, second = fields.readers("calls")
    ((name, tensor),) = second.child("inputs").children()
    assert name == "x"
    with pytest.raises(WorkloadError, match=r"w.json, calls\[1\], inputs, x: 'shape' must be list"):
        tensor.integers("shape")
