"""Models of others, and sweeps over the sizes of their inputs, on the simulated device."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.graphs import LAYER, write_graph

from automoe.cli.main import main
from automoe.latency.model_profiling import ModelInputs, _from_costs, profile_model
from devices import get_device
from profilers import (
    GivenValues,
    LogError,
    Protocol,
    WorkloadError,
    open_onnx_workload,
    read_log,
)

# A length decides how many rows are multiplied.
CUT = """cut (float[b, T, 4] x, int64[1] len) => (float[b, U, 4] y)
<int64[1] zero = {0}, int64[1] one = {1}, float[4, 4] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
 1, 1, 1}> { cut = Slice(x, zero, len, one) y = MatMul(cut, w) }"""


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.001")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "m.onnx", CUT)


def profile(model: Path, **given: Any) -> tuple[Any, list[str]]:
    notes: list[str] = []
    inputs = ModelInputs(given.get("shapes", {}), given.get("values", {}))
    summary = profile_model(
        model,
        point_id="m-1",
        device=get_device("simulated"),
        protocol=Protocol.fast(),
        log=model.with_name("lat.csv"),
        inputs=inputs,
        on_note=notes.append,
    )
    return summary, notes


def values(**texts: str) -> Mapping[str, GivenValues]:
    return {name: GivenValues.parse(text) for name, text in texts.items()}


def test_what_was_chosen_is_said_and_in_the_row(model: Path) -> None:
    summary, notes = profile(model, shapes={"x": (1, 40, 4)})
    assert summary.n_measured == 1
    assert notes == [
        "Values of inputs were chosen: len=40 (the size of axis 1 of x). "
        "--input NAME=VALUE gives others.",
        "The value of 'len' decides what the graph computes: its FLOPs, or its branch.",
    ]
    (row,) = read_log(model.with_name("lat.csv"))
    assert row["workload"] == "x=1x40x4 len:=40"
    # The same value, given by hand, is the same workload.
    again, notes = profile(model, shapes={"x": (1, 40, 4)}, values=values(len="40"))
    assert (again.n_measured, again.n_skipped, notes) == (0, 1, [])


def test_another_shape_or_value_is_refused(model: Path) -> None:
    profile(model, shapes={"x": (1, 40, 4)})
    with pytest.raises(LogError, match="'workload' must be 'x=1x40x4 len:=40' .* Got 'x=1x50x4"):
        profile(model, shapes={"x": (1, 50, 4)})
    with pytest.raises(LogError, match="'workload' must be .* Got 'x=1x40x4 len:=7'"):
        profile(model, shapes={"x": (1, 40, 4)}, values=values(len="7"))


def test_a_grid_is_measured_into_one_log_and_resumed(model: Path) -> None:
    log = model.with_name("lat.csv")
    assert profile(model, shapes={"x": (1, (16, 4, 8), 4)})[0].n_measured == 3
    summary, _ = profile(model, shapes={"x": (1, (2, 4, 8, 16, 32), 4)})
    assert (summary.n_measured, summary.n_skipped) == (2, 3)
    rows = read_log(log)
    assert {row["feature_T"] for row in rows} == {"2", "4", "8", "16", "32"}
    assert {row["workload"] for row in rows} == {"x=1x{T}x4 len:=the_size_of_axis_1_of_x"}
    # The middle point of the first session stays the sentinel of the log.
    assert {row["sentinel"] for row in rows} == {"m-1 T=8"}
    assert len({row["sentinel_reference_ms"] for row in rows}) == 1
    assert not log.with_name("lat.csv.workloads").exists()


def test_another_grid_of_axes_is_refused(model: Path) -> None:
    profile(model, shapes={"x": (1, (8, 16), 4)})
    with pytest.raises(LogError, match=r"'workload' must be 'x=1x\{T\}x4 .* Got 'x=\{b\}x8x4"):
        profile(model, shapes={"x": ((1, 2), 8, 4)})


def test_a_model_without_its_weights_is_refused(tmp_path: Path) -> None:
    import onnx

    path = write_graph(tmp_path / "m.onnx", LAYER)
    opened = onnx.load(path)
    opened.graph.initializer[0].ClearField("float_data")
    onnx.save(opened, path)
    with pytest.raises(
        WorkloadError, match="'weight' holds 0 of 6 elements. .* with all of its weights"
    ):
        profile(path)


@pytest.mark.slow
def test_a_sweep_predicts_the_sizes_in_between(model: Path, tmp_path: Path) -> None:
    log, predictor = str(tmp_path / "lat.csv"), str(tmp_path / "p")
    how = ["--device", "simulated", "--fast", "--model", str(model)]
    grid = "x={1,2,4,8,16}x{64,128,256,512,1024}x4"
    assert main(["profile", *how, "--input-shape", grid, "--log", log]) == 0
    assert main(["fit", log, "-o", predictor]) == 0
    between, out = str(tmp_path / "between.csv"), str(tmp_path / "out.csv")
    grid = "x={3,6}x{96,300,700}x4"
    assert main(["profile", *how, "--input-shape", grid, "--log", between]) == 0
    assert main(["predict", predictor, between, "-o", out]) == 0
    rows = pd.read_csv(out)
    error = abs(rows.predicted_ms / pd.read_csv(between).latency_ms - 1)
    assert error.mean() < 0.05


def test_a_simulated_time_of_unknown_nodes_is_called_a_lower_bound(tmp_path: Path) -> None:
    text = """g (float[2, 4] x) => (float[u, 4] y)
        { n = NonZero(x) i = Gather<axis = 0>(n, one) y = Gather(x, i) }"""
    text = text.replace("{ n", "<int64 one = {0}> { n")
    _, notes = profile(write_graph(tmp_path / "m.onnx", text))
    assert len(notes) == 1
    assert notes[0].startswith("The simulated times are lower bounds")
    assert "NonZero 'n'" in notes[0]


def test_a_graph_is_loaded_once_for_all_points(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    loads = []
    load = onnx.load
    monkeypatch.setattr(onnx, "load", lambda *how, **more: loads.append(how) or load(*how, **more))
    summary, _ = profile(model, shapes={"x": (1, (8, 16, 32), 4)})
    assert (summary.n_measured, len(loads)) == (3, 1)


def test_shapes_that_do_not_fit_are_refused_before_a_session(tmp_path: Path) -> None:
    text = "g (float[n, 3] x) => (float[2, 12] y) <int64[2] s = {2, 12}> { y = Reshape(x, s) }"
    path = write_graph(tmp_path / "m.onnx", text)
    with pytest.raises(WorkloadError, match="6 elements cannot have the shape"):
        profile(path, shapes={"x": (2, 3)})
    assert not path.with_name("lat.csv").exists()


def test_it_is_said_that_a_run_takes_more_memory_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """g (float[n] x) => (float y) <int64[2] size = {65536, 65536}>
        { big = Expand(x, size) y = ReduceSum(big) }"""
    path = write_graph(tmp_path / "m.onnx", text)
    device = get_device("cpu")
    opened, info = open_onnx_workload(path), device.info()
    monkeypatch.setattr(device, "info", lambda: replace(info, memory_mb=0))  # it is unknown
    assert _from_costs(opened, path, device) == []
    monkeypatch.setattr(device, "info", lambda: replace(info, memory_mb=4096))
    (sentence,) = _from_costs(opened, path, device)
    assert sentence.startswith("One run takes about 16 GiB of memory, and the machine has 4 GiB")
