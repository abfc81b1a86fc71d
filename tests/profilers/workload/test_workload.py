import json
from pathlib import Path
from typing import Any

import pytest

from profilers import Call, TensorSpec, Workload, WorkloadError

ZERO = TensorSpec("float32", (1,), values=(0.0,))
TRANSLATION = Workload(
    {"encoder": "encoder.onnx", "step": "/abs/step.onnx"},
    (
        Call("encode", "encoder", inputs={"source": TensorSpec("int64", (1, 3), values=(4, 5, 6))}),
        Call(
            "decode",
            "step",
            repeat=2,
            inputs={"cache": TensorSpec("float16", (1, 0, 8), seed=3)},
            step_inputs={"token": (TensorSpec("int64", (1,), values=(7,)),) * 2},
            from_calls={"memory": ("encode", "memory")},
            carry={"new_cache": "cache"},
        ),
    ),
)


def test_a_workload_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    TRANSLATION.save(tmp_path / "w.json")
    assert Workload.load(tmp_path / "w.json") == TRANSLATION


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"dtype": "bfloat16", "values": (0,)},
            "'dtype' must be one of float16, .*, uint64. Got 'bfloat16'.",
        ),
        (
            {"shape": (2, -1), "values": (0,)},
            r"'shape' must not be negative. Got \(2, -1\).",
        ),
        ({}, "Give either 'values' or 'seed'. Got both or neither."),
        ({"values": (0,), "seed": 1}, "Give either 'values' or 'seed'. Got both"),
        (
            {"dtype": "int64", "seed": 1},
            "'seed' draws normal values, so 'dtype' must be floating point. Got 'int64'; give",
        ),
        (
            {"values": (1, 2)},
            r"'values' must hold 1 or 6 numbers for shape \(2, 3\). Got 2.",
        ),
        ({"values": ("x",)}, "'values' must hold numbers. Got 'x'."),
    ],
)
def test_a_tensor_that_cannot_be_made_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        TensorSpec(**{"dtype": "float32", "shape": (2, 3), **fields})


@pytest.mark.parametrize(("shape", "values"), [((2, 3), (0,)), ((0, 3), ()), ((), (1,))])
def test_a_tensor_holds_one_value_each_or_one_for_all(
    shape: tuple[int, ...], values: tuple[int, ...]
) -> None:
    assert TensorSpec("int8", shape, values=values).values == values


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a b"}, "A call's 'name' must be an identifier. Got 'a b'."),
        (
            {"name": "sentinel"},
            r"'name' must not be one of \['ci_high', .*'sentinel', .*\], which are columns of the",
        ),
        ({"repeat": 0}, "'repeat' of 'c' must be at least 1. Got 0."),
        (
            {"repeat": 3, "step_inputs": {"t": (ZERO, ZERO)}},
            "'step_inputs' 't' of 'c' must hold repeat=3 tensors. Got 2.",
        ),
        (
            {"inputs": {"x": ZERO}, "from_calls": {"x": ("a", "y")}},
            r"Each input of 'c' must have one source. Got two for \['x'\].",
        ),
        (
            {"inputs": {"x": ZERO}, "step_inputs": {"x": (ZERO,)}},
            r"Each input of 'c' must have one source. Got two for \['x'\].",
        ),
        (
            {"carry": {"y": "x"}},
            r"'carry' of 'c' needs a first value for \['x'\]. Give it in 'inputs' or 'from_calls'.",
        ),
        (
            {"carry": {"y": "x"}, "step_inputs": {"x": (ZERO,)}},
            r"'carry' of 'c' needs a first value for \['x'\].",
        ),
        (
            {"carry": {"y": "x", "z": "x"}, "inputs": {"x": ZERO}},
            r"'carry' of 'c' must fill each input once. Got two outputs for \['x'\].",
        ),
    ],
)
def test_a_call_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        Call(**{"name": "c", "graph": "g", **fields})


def test_a_call_may_carry_into_what_an_earlier_call_gave() -> None:
    call = Call("c", "g", repeat=2, from_calls={"x": ("a", "y")}, carry={"y": "x"})
    assert call.carry == {"y": "x"}


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ((), "'calls' must not be empty: there is nothing to time."),
        ((Call("a", "g"), Call("a", "g")), "Call names must be unique. Got 'a' twice."),
        ((Call("a", "h"),), r"'graph' of 'a' must be one of \['g'\]. Got 'h'."),
        (
            (Call("a", "g"), Call("b", "g", from_calls={"x": ("c", "y")}), Call("c", "g")),
            r"'from_calls' of 'b' must name an earlier call, one of \['a'\]. Got 'c'.",
        ),
        (
            (Call("a", "g", from_calls={"x": ("a", "y")}),),
            r"'from_calls' of 'a' must name an earlier call, one of \[\]. Got 'a'.",
        ),
    ],
)
def test_a_workload_whose_calls_do_not_fit_is_refused(
    calls: tuple[Call, ...], message: str
) -> None:
    with pytest.raises(WorkloadError, match=message):
        Workload({"g": "g.onnx"}, calls)


def document(**changes: Any) -> dict[str, Any]:
    tensor = {"dtype": "float32", "shape": [1], "values": [0.0], "seed": None}
    call = {"name": "c", "graph": "g", "repeat": 1, "inputs": {"x": tensor}}
    call |= {"step_inputs": {}, "from_calls": {}, "carry": {}}
    return {"schema_version": 1, "graphs": {"g": "g.onnx"}, "calls": [{**call, **changes}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "w.json is not JSON: .* Write it with Workload.save."),
        (b"\xff", "w.json is not JSON: .* Write it with Workload.save."),
        ([], r"w.json must be an object. Got \[\]."),
        ({"schema_version": 9}, "w.json: 'schema_version' must be 1. Got 9. Write the file again."),
        ({"schema_version": 1}, r"w.json: 'graphs' is missing. Add it \(dict\)."),
        (document(repeat="2"), r"w.json, calls\[0\]: 'repeat' must be int. Got '2'."),
        (document(name="no name"), "w.json: A call's 'name' must be an identifier. Got 'no name'."),
        (document(from_calls={"m": "a"}), r"'from_calls' must map an input to \[call, output\]."),
        (
            document(inputs={"x": {"shape": [1]}}),
            r"w.json, calls\[0\], inputs, x: 'dtype' is missing. Add it \(str\).",
        ),
        (
            document(step_inputs={"t": [{"dtype": "int8", "shape": ["n"], "values": [0]}]}),
            r"calls\[0\], step_inputs, t\[0\]: 'shape' must be a list of integers. Got 'n'.",
        ),
    ],
)
def test_a_file_that_is_no_workload_is_refused_by_name_and_field(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "w.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(WorkloadError, match=message):
        Workload.load(path)


def test_the_file_is_named_even_when_its_name_is_a_word_of_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("calls").write_text(json.dumps({**document(), "calls": []}))
    with pytest.raises(WorkloadError, match="^calls: 'calls' must not be empty"):
        Workload.load(Path("calls"))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="w.json"):
        Workload.load(tmp_path / "w.json")


def test_shape_ranges_are_read_back(tmp_path: Path) -> None:
    ranges = {"g": {"x": ((0, 2), (1, 2), (5, 2))}}
    Workload({"g": "g.onnx"}, (Call("model", "g"),), ranges).save(tmp_path / "w.json")
    assert Workload.load(tmp_path / "w.json").shape_ranges == ranges


@pytest.mark.parametrize(
    "shapes",
    [((1,), (2,)), ((1,), (2,), (1,)), ((1,), (2, 2), (3,)), ((-1,), (0,), (1,))],
    ids=["two", "falling", "ranks", "negative"],
)
def test_a_range_that_is_none_is_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    message = "'shape_ranges' of 'x' of 'g' must be its least, typical and greatest shape"
    with pytest.raises(WorkloadError, match=message):
        Workload({"g": "g.onnx"}, (Call("model", "g"),), {"g": {"x": shapes}})


def test_a_file_whose_ranges_are_none_is_refused(tmp_path: Path) -> None:
    Workload({"g": "g.onnx"}, (Call("model", "g"),)).save(tmp_path / "w.json")
    document = json.loads((tmp_path / "w.json").read_text())
    (tmp_path / "w.json").write_text(json.dumps({**document, "shape_ranges": {"g": {"x": [1]}}}))
    with pytest.raises(WorkloadError, match="w.json: 'shape_ranges' must hold three shapes"):
        Workload.load(tmp_path / "w.json")
