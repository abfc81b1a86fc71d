"""Branches and loops, by hand; the odd models hold the simple ones."""

from pathlib import Path

import pytest
from support.graphs import write_graph

from profilers import GivenValues, costs_of_graph, deciding_inputs, open_onnx_workload

# Each repetition appends a row and multiplies all rows so far.
GROWING = """growing (float[1, 4] x, float[1, 4] row, int64 n)
    => (float[a, 4] all, float[b, c, 4] each)
<float[4, 4] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, int64[1] rows_axis = {0}>
{
    go = Constant<value = bool {1}>()
    all, each = Loop<body = body (int64 i, bool go_in, float[k, 4] rows)
        => (bool go_out, float[m, 4] longer, float[1, 4] last)
    {
        longer = Concat<axis = 0>(rows, row)
        product = MatMul(longer, w)
        last = ReduceSum(product, rows_axis)
        go_out = Identity(go_in)
    }>(n, go, x)
}"""


def given(**texts: str) -> dict[str, GivenValues]:
    return {name: GivenValues.parse(text) for name, text in texts.items()}


def test_a_loop_that_grows_is_followed(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", GROWING)
    costs = costs_of_graph(path, values=given(n="3"))
    assert costs.flops == 2 * (2 + 3 + 4) * 4 * 4
    assert costs.operators["MatMul"] == 3
    assert costs.unknown_nodes == ()
    assert costs_of_graph(path, values=given(n="0")).flops == 0


def test_a_loop_that_grows_too_long_is_a_lower_bound(tmp_path: Path) -> None:
    costs = costs_of_graph(write_graph(tmp_path / "g.onnx", GROWING), values=given(n="1000"))
    (unknown,) = costs.unknown_nodes
    assert "its shapes change over 1000 repetitions, which are too many" in unknown
    assert f"one of them takes {2 * 2 * 4 * 4} FLOPs" in unknown


# A branch within a loop: only the fourth repetition multiplies.
NESTED = """nested (float[3, 4] x, int64 n) => (float[3, 4] y)
<float[4, 4] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, int64[1] rows_axis = {0}>
{
    go = Constant<value = bool {1}>()
    y = Loop<body = body (int64 i, bool go_in, float[3, 4] v) => (bool go_out, float[3, 4] out)
    {
        three = Constant<value = int64 {3}>()
        hit = Equal(i, three)
        out = If<then_branch = t () => (float[3, 4] a) { a = MatMul(v, w) },
                 else_branch = e () => (float[3, 4] b) { b = Identity(v) }>(hit)
        go_out = Identity(go_in)
    }>(n, go, x)
}"""


@pytest.mark.parametrize(("n", "times"), [("2", 0), ("4", 1), ("9", 1)])
def test_a_branch_in_a_loop_is_followed_each_time(tmp_path: Path, n: str, times: int) -> None:
    costs = costs_of_graph(write_graph(tmp_path / "g.onnx", NESTED), values=given(n=n))
    assert costs.flops == times * 2 * 3 * 4 * 4
    assert costs.unknown_nodes == ()


def test_an_input_decides_when_its_value_changes_what_is_counted(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", GROWING)
    assert deciding_inputs(open_onnx_workload(path), path) == ("n",)
    text = """g (float[2, 4] x, int64[2, 4] mask) => (float[2, 4] y)
        { m = Cast<to = 1>(mask) y = Mul(x, m) }"""
    path = write_graph(tmp_path / "h.onnx", text)
    assert deciding_inputs(open_onnx_workload(path), path) == ()


def ones(n: int) -> str:
    return ", ".join(["1"] * n)


# Both branches call their weight `w`, their product `p` and their constant `k`.
SAME_NAMES = f"""same (bool c, float[3, 4] x) => (float y)
{{
    y = If<then_branch = t () => (float[3, 5] a) <float[4, 5] w = {{{ones(20)}}}>
               {{ k = Constant<value = float[5] {{1, 1, 1, 1, 1}}>()
                  p = MatMul(x, w) a = Add(p, k) }},
           else_branch = e () => (float[3, 7] b) <double[4, 7] w = {{{ones(28)}}}>
               {{ k = Cast<to = 11>(x) p = MatMul(k, w) b = Cast<to = 1>(p) }}>(c)
}}"""


@pytest.mark.parametrize(
    ("chosen", "width", "read", "made"),
    [("1", 5, 20 * 4 + 5 * 4, 2 * 15 * 4), ("0", 7, 28 * 8, (12 + 21) * 8 + 21 * 4)],
)
def test_branches_may_call_different_values_by_the_same_names(
    tmp_path: Path, *, chosen: str, width: int, read: int, made: int
) -> None:
    path = write_graph(tmp_path / "g.onnx", SAME_NAMES)
    costs = costs_of_graph(path, values=given(c=chosen))
    assert costs.unknown_nodes == ()
    assert costs.flops == 2 * 3 * 4 * width
    assert costs.touched_weight_bytes == read
    assert costs.weight_bytes == 20 * 4 + 28 * 8 + (5 * 4 if chosen == "1" else 0)
    output = 3 * width * 4  # of the If itself
    assert costs.activation_bytes == made + output


def test_loops_within_loops_are_followed_for_a_while_only(tmp_path: Path) -> None:
    text = f"""nest (float[2, 4] x) => (float y) <float[4, 4] w = {{{ones(16)}}}, int64 n = {{200}}>
    {{
        go = Constant<value = bool {{1}}>()
        y = Loop<body = outer (int64 i, bool a, float[k, 4] v) => (bool b, float[k2, 4] o)
        {{
            b = Identity(a)
            o = Loop<body = inner (int64 j, bool c, float[q, 4] u) => (bool d, float[q2, 4] p)
                {{ d = Identity(c) r = Concat<axis = 0>(u, x) p = MatMul(r, w) }}>(n, a, v)
        }}>(n, go, x)
    }}"""
    costs = costs_of_graph(write_graph(tmp_path / "g.onnx", text))
    assert "loops within loops repeat too often to be followed" in costs.unknown_nodes[0]


# The second loop within the first one repeats as often as the first one has run before.
TRIANGLE = """triangle (float[2, 4] x) => (float[2, 4] y)
<float[4, 4] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, int64 n = {5}>
{
    go = Constant<value = bool {1}>()
    y = Loop<body = body (int64 i, bool go_in, float[2, 4] v) => (bool go_out, float[2, 4] out)
    {
        out = Loop<body = inner (int64 j, bool on_in, float[2, 4] u)
            => (bool on_out, float[2, 4] product)
        {
            product = MatMul(u, w)
            on_out = Identity(on_in)
        }>(i, go, v)
        go_out = Identity(go_in)
    }>(n, go, x)
}"""


def test_loops_within_loops_are_followed_without_a_process_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("ONNX Runtime was asked")

    monkeypatch.setattr("profilers.costs.trial.subprocess.run", refused)
    costs = costs_of_graph(write_graph(tmp_path / "t.onnx", TRIANGLE))
    assert costs.flops == (0 + 1 + 2 + 3 + 4) * 2 * 2 * 4 * 4
    assert costs.unknown_nodes == ()
