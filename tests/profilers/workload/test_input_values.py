"""What an integer or boolean input is filled with when nobody says it."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from support.graphs import write_graph

from profilers import GivenValues, WorkloadError, open_onnx_workload


def chosen(path: Path, text: str, **shapes: tuple[int, ...]) -> dict[str, tuple[object, ...]]:
    opened = open_onnx_workload(write_graph(path / "g.onnx", text), shapes=shapes)
    return {name: each.values for name, each in opened.chosen.items()}


@pytest.mark.parametrize(
    ("text", "shapes", "expected"),
    [
        # Recurrence runs along the first axis, whatever the sizes are.
        (
            """(float[6, 2, 3] x, int32[2] lens, float[1, 5, 3] w, float[1, 5, 5] r)
            => (float[6, 1, 2, 5] y) { y = RNN<hidden_size = 5>(x, w, r, , lens) }""",
            {},
            {"lens": (6,)},
        ),
        (
            """(float[2, 6, 3] x, int64[2] lens) => (float[2, 6, 3] y)
            { y = ReverseSequence<batch_axis = 0, time_axis = 1>(x, lens) }""",
            {},
            {"lens": (6,)},
        ),
        # A length is the size of the axis that it speaks of, which is not always the second one.
        (
            """(float[b, T, 64] speech, int64[b] speech_lengths) => (int64[b] y)
            { y = Identity(speech_lengths) }""",
            {"speech": (2, 400, 64)},
            {"speech_lengths": (400,)},
        ),
        (
            """(float[b, 80, frames] mel, int64[1] length) => (int64[1] y)
            { y = Identity(length) }""",
            {"mel": (1, 80, 300)},
            {"length": (300,)},
        ),
        (
            """(float[b, s, 4] src, float[b, t, 4] tgt, int64[b] tgt_len) => (int64[b] y)
            { y = Identity(tgt_len) }""",
            {"src": (1, 30, 4), "tgt": (1, 7, 4)},
            {"tgt_len": (7,)},
        ),
        (
            """(int64[b, phonemes] input, int64[b] input_lengths, float[3] scales) => (int64[b] y)
            { y = Identity(input_lengths) }""",
            {"input": (1, 50)},
            {"input_lengths": (50,), "input": (0,)},
        ),
        (
            """(float[1, 80, 3000] input_features, int32[1] max_length, int32[1] min_length)
            => (int32[1] y) { y = Add(max_length, min_length) }""",
            {},
            {"max_length": (3000,), "min_length": (1,)},
        ),
        (
            """(float[1, 3, 48, 64] images, int64[1, 2] orig_target_sizes) => (int64[1, 2] y)
            { y = Identity(orig_target_sizes) }""",
            {},
            {"orig_target_sizes": (48, 64)},
        ),
        # A name may say nothing, and its use everything.
        (
            """(float[1, T, 8] x, int64[1] n0) => (float[1, u, 8] y)
            <int64[1] zero = {0}, int64[1] one = {1}> { y = Slice(x, zero, n0, one) }""",
            {"x": (1, 50, 8)},
            {"n0": (50,)},
        ),
        # The words of a name may be written without a space between them.
        (
            """(float[b, T, 80] feats, int64[b] xlens) => (int64[b] y) { y = Identity(xlens) }""",
            {"feats": (2, 300, 80)},
            {"xlens": (300,)},
        ),
        (
            """(float[1, s, 4] src, float[1, t, 4] phones, int64[1] phoneslength,
            int64[1, s] srcmask) => (int64[1, s] y) { y = Add(srcmask, phoneslength) }""",
            {"src": (1, 9, 4), "phones": (1, 7, 4)},
            {"phoneslength": (7,), "srcmask": (1,)},
        ),
        # The longest of a batch decides, so the graph takes the greatest length.
        (
            """(float[b, T, 8] x, int64[b] n0) => (float[b, u, 8] y)
            <int64[1] zero = {0}, int64[1] one = {1}>
            { most = ReduceMax<keepdims = 1>(n0) y = Slice(x, zero, most, one) }""",
            {"x": (2, 50, 8)},
            {"n0": (50,)},
        ),
        (
            "(int64[b, s] attention_mask) => (int64[b, s] y) { y = Identity(attention_mask) }",
            {"attention_mask": (1, 3)},
            {"attention_mask": (1,)},
        ),
        (
            "(bool[b, s] key_padding_mask) => (bool[b, s] y) { y = Not(key_padding_mask) }",
            {},
            {"key_padding_mask": (False,)},
        ),
        (
            "(int64[b, s] position_ids) => (int64[b, s] y) { y = Identity(position_ids) }",
            {"position_ids": (2, 3)},
            {"position_ids": (0, 1, 2, 0, 1, 2)},
        ),
        # An index lies within its table, also behind a Cast.
        (
            """(int32[1, s] ids) => (float[1, s, 2] y) <float[3, 2] t = {1, 2, 3, 4, 5, 6}>
            { wide = Cast<to = 7>(ids) y = Gather(t, wide) }""",
            {"ids": (1, 4)},
            {"ids": (1, 0, 2, 1)},
        ),
        ("(int64 sr) => (int64 y) { y = Identity(sr) }", {}, {"sr": (16000,)}),
        (
            """(int64 sr) => (bool y) <int64 known = {8000}> { y = Equal(sr, known) }""",
            {},
            {"sr": (8000,)},
        ),
        ("(int64[2] a, int64[2] b) => (int64[2] y) { y = Div(a, b) }", {}, {"a": (0,), "b": (1,)}),
        ("(bool use_cache) => (bool y) { y = Not(use_cache) }", {}, {"use_cache": (True,)}),
    ],
)
def test_a_value_suits_the_name_and_the_use(
    tmp_path: Path,
    text: str,
    shapes: dict[str, tuple[int, ...]],
    expected: dict[str, tuple[object, ...]],
) -> None:
    assert chosen(tmp_path, f"g {text}", **shapes) == expected


LENGTHS = """g (float[1, T, 64] x, int64[1] len) => (int64[1] y) { y = Identity(len) }"""


def test_what_was_chosen_is_one_line(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", LENGTHS)
    assert open_onnx_workload(path, shapes={"x": (1, 400, 64)}).sentences == (
        "Values of inputs were chosen: len=400 (the size of axis 1 of x). "
        "--input NAME=VALUE gives others.",
    )
    given = open_onnx_workload(path, values={"len": GivenValues.parse("7")})
    assert given.sentences == given.notes  # about sizes, not about values
    assert given.workload.calls[0].inputs["len"].values == (7,)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("lne", "7", "Unknown input 'lne'. Inputs of .*: x, len"),
        ("len", "7.5", "Input 'len' takes int64: integers from -9.* Got 7.5"),
        ("len", "1,2", r"must have the shape 1. Got 2|needs 1 value or 1. Got 2"),
        ("len", "many", "Values must be numbers, true or false, such as 400 or 1,2,3. Got many"),
        ("len", "99999999999999999999", "takes int64: integers from"),
    ],
)
def test_a_value_that_does_not_suit_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = write_graph(tmp_path / "g.onnx", LENGTHS)
    with pytest.raises(WorkloadError, match=message):
        open_onnx_workload(path, values={name: GivenValues.parse(text)})


def test_positions_of_an_empty_table_are_numbered(tmp_path: Path) -> None:
    text = """g (int64[2, n] position_ids, float[0, 4] table) => (float[2, n, 4] y)
        { y = Gather(table, position_ids) }"""
    model = onnx.parser.parse_graph(text)
    weight = helper.make_tensor("table", TensorProto.FLOAT, [0, 4], [])
    model.initializer.append(weight)
    path = tmp_path / "g.onnx"
    onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)]), path)
    opened = open_onnx_workload(path, shapes={"position_ids": (2, 2)})
    assert opened.chosen["position_ids"].values == (0, 1, 0, 1)


def test_the_past_of_an_attention_is_known_by_its_place(tmp_path: Path) -> None:
    names = ["q", "k", "v", "pk", "pv", "lens", "n"]
    node = helper.make_node(
        "GroupQueryAttention",
        names,
        ["y"],
        domain="com.microsoft",
        num_heads=4,
        kv_num_heads=2,
    )
    widths = {"q": 32, "k": 16, "v": 16}
    floats = [
        *(
            helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 1, n])
            for x, n in widths.items()
        ),
        *(helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 2, 9, 8]) for x in ("pk", "pv")),
    ]
    ints = [
        helper.make_tensor_value_info("lens", TensorProto.INT32, [1]),
        helper.make_tensor_value_info("n", TensorProto.INT32, []),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 32])
    graph = helper.make_graph([node], "g", [*floats, *ints], [output])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "g.onnx")
    chosen = open_onnx_workload(tmp_path / "g.onnx").chosen
    assert {name: each.values for name, each in chosen.items()} == {"lens": (9,), "n": (10,)}


@pytest.mark.parametrize("name", ["ids", "position_ids"])
def test_very_many_indices_are_not_spread(tmp_path: Path, name: str) -> None:
    text = f"g (int64[1, n] {name}) => (float[1, n, 1] y) <float[3, 1] t = {{1, 2, 3}}>"
    path = write_graph(tmp_path / "g.onnx", f"{text} {{ y = Gather(t, {name}) }}")
    opened = open_onnx_workload(path, shapes={name: (1, 2**40)})
    assert opened.sentences[0].startswith(f"Values of inputs were chosen: {name}=0 (0, as they a")
