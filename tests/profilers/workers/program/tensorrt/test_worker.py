import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.graphs import DIGIT, DOUBLE, digit_calls, write_graph
from support.imitated_tensorrt import RUN_MS, VERSIONS, ImitatedCuda, imitated_tensorrt
from support.sent_files import sent_files
from support.workers import ask, load

from profilers import Call, TensorSpec, Workload
from profilers.tensorrt.rtx_parser import missing_parser
from profilers.workers.program.onnx_runtime import OnnxRuntimeWorker
from profilers.workers.program.tensorrt import engines, kept_files
from profilers.workers.program.tensorrt.building import shape_ranges
from profilers.workers.program.tensorrt.cuda import open_cuda
from profilers.workers.program.tensorrt.engines import Engines
from profilers.workers.program.tensorrt.worker import TensorRtWorker
from profilers.workers.sent_program import NAME, worker_program

FILES = sent_files("profilers/workers/program/tensorrt")
SOURCE = "".join(file.read_text() for file in FILES)
EVERY_VERSION = pytest.mark.parametrize("version", VERSIONS)
needs_rtx = pytest.mark.skipif(missing_parser() is not None, reason=str(missing_parser()))
HALVES = "g (float16[n] x) => (float16[n] y) { y = Add(x, x) }"
HALVES_WITHIN = """g (float[n] x) => (float[n] y)
{ h = Cast <to = 10> (x)  twice = Add(h, h)  y = Cast <to = 1> (twice) }"""


def open_worker(version: str, folder: Path, cuda: ImitatedCuda | None = None) -> TensorRtWorker:
    cuda = cuda or ImitatedCuda()
    folder.mkdir(exist_ok=True)
    parts = (imitated_tensorrt(version, cuda), cuda, str(folder))
    return TensorRtWorker(find_parts=lambda runtime: parts)


def engines_of(worker: TensorRtWorker) -> Engines:
    """What builds and keeps engines for a worker."""
    return worker.open()[1]


NEWEST = "tensorrt 11.4.0.106"


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """The encoder makes 4 of 2; the decoder appends 3, 5, 7 to it digit by digit."""
    write_graph(tmp_path / "double.onnx", DOUBLE)
    write_graph(tmp_path / "digit.onnx", DIGIT)
    ranges = {"digit": {"cache": ((0,), (1,), (2,))}}
    graphs = {"double": "double.onnx", "digit": "digit.onnx"}
    Workload(graphs, digit_calls(), ranges).save(tmp_path / "w.json")
    return tmp_path / "w.json"


@EVERY_VERSION
def test_hello_names_everything_that_moves_a_timing(version: str, tmp_path: Path) -> None:
    hello = ask(open_worker(version, tmp_path / "engines"), "hello")
    name, _, number = version.partition(" ")
    assert hello["runtime_version"] == number
    expected = "rtx" if name == "tensorrt_rtx" else number.partition(".")[0]
    assert hello["dialect"] == expected
    assert hello["gpu"]["name"] == "Imitated"
    assert hello["gpu"]["compute_capability"] == "8.7"
    assert hello["pid"] == os.getpid()


@EVERY_VERSION
def test_it_computes_what_onnxruntime_computes(version: str, tmp_path: Path, digits: Path) -> None:
    worker, other = open_worker(version, tmp_path / "engines"), OnnxRuntimeWorker()
    assert load(worker, digits)["load_ms"] > 0
    assert load(other, digits)["load_ms"] > 0
    for _ in range(2):  # the second sample finds the buffers of the first
        ours, theirs = (ask(x, "outputs", id="w")["outputs"] for x in (worker, other))
        assert ours == theirs
        assert ours["decode"]["longer"]["sum"] == 4357.0
        assert ours["decode"]["grown"]["shape"] == [3]


@EVERY_VERSION
def test_the_time_of_the_gpu_is_told_beside_that_of_the_host(
    version: str, tmp_path: Path, digits: Path
) -> None:
    worker = open_worker(version, tmp_path / "engines")
    load(worker, digits)
    block = ask(worker, "block", id="w", samples=2)
    for sample in block["samples"]:
        calls_ms = sample["call_ms"]
        assert calls_ms["encode_gpu"] == pytest.approx(RUN_MS)
        assert calls_ms["decode_gpu"] == pytest.approx(3 * RUN_MS)  # three steps
        assert calls_ms["gpu"] == pytest.approx(4 * RUN_MS)
        assert sample["wall_ms"] >= calls_ms["encode"] + calls_ms["decode"] - 1e-6
        assert calls_ms["decode_step"] > 0


def test_the_cache_stays_on_the_device(tmp_path: Path, digits: Path) -> None:
    cuda = ImitatedCuda()
    worker = open_worker(NEWEST, tmp_path / "engines", cuda)
    load(worker, digits)
    ask(worker, "block", id="w", samples=1)
    copies = []
    cuda.cudaMemcpy = lambda *arguments: copies.append(arguments)  # type: ignore[method-assign,assignment]
    before = cuda.n_allocations
    ask(worker, "block", id="w", samples=2)
    assert copies == []
    assert cuda.n_allocations == before


def test_what_is_unloaded_is_freed(tmp_path: Path, digits: Path) -> None:
    cuda = ImitatedCuda()
    worker = open_worker(NEWEST, tmp_path / "engines", cuda)
    load(worker, digits)
    ask(worker, "block", id="w", samples=1)
    assert cuda.allocated
    assert ask(worker, "unload", id="w") == {}
    assert cuda.allocated == {}


def test_tokens_are_counted(tmp_path: Path) -> None:
    text = "g (int64[n] x) => (int64[n] expert) { expert = Identity(x) }"
    write_graph(tmp_path / "g.onnx", text)
    chosen = TensorSpec("int64", (4,), values=(0, 2, 2, 1))
    call = Call("model", "g", inputs={"x": chosen}, routing_outputs=("expert",))
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    for version in VERSIONS:
        worker = open_worker(version, tmp_path / "engines")
        load(worker, tmp_path / "w.json")
        counted = ask(worker, "routing", id="w")["tokens_per_expert"]
        assert counted == {"model.expert": [1, 1, 2]}


@EVERY_VERSION
@pytest.mark.parametrize(("text", "dtype"), [(HALVES, "float16"), (HALVES_WITHIN, "float32")])
def test_halves_are_allowed_where_that_must_be_said(
    version: str, text: str, dtype: str, tmp_path: Path
) -> None:
    write_graph(tmp_path / "g.onnx", text)
    call = Call("model", "g", inputs={"x": TensorSpec(dtype, (2,), values=(1.5, 2.0))})
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    worker = open_worker(version, tmp_path / "engines")
    load(worker, tmp_path / "w.json")
    described = ask(worker, "outputs", id="w")["outputs"]["model"]["y"]
    assert (described["dtype"], described["sum"]) == (dtype, 7.0)
    assert engines_of(worker).trt.flags_set == (
        ["FP16"] if version.startswith("tensorrt 8") else []
    )


def test_quantised_graphs_are_allowed_int8_before_10(tmp_path: Path) -> None:
    text = """g (float[n] x) => (float[n] y) <float scale = {0.5}, int8 zero = {0}>
    { q = QuantizeLinear(x, scale, zero)  y = DequantizeLinear(q, scale, zero) }"""
    write_graph(tmp_path / "g.onnx", text)
    call = Call("model", "g", inputs={"x": TensorSpec("float32", (2,), values=(1.5, 2.0))})
    Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
    for version in VERSIONS:
        worker = open_worker(version, tmp_path / "engines")
        assert "load_ms" in load(worker, tmp_path / "w.json")
        assert engines_of(worker).trt.flags_set == (
            ["INT8"] if version.startswith("tensorrt 8") else []
        )


class TestEngines:
    """What is kept, and what is never loaded."""

    @EVERY_VERSION
    def test_a_later_process_builds_nothing(
        self, version: str, tmp_path: Path, digits: Path
    ) -> None:
        for expected in (["double.onnx", "digit.onnx"], []):
            worker = open_worker(version, tmp_path / "engines")
            load(worker, digits)
            assert engines_of(worker).trt.built == expected

    def test_another_version_or_gpu_builds_its_own(self, tmp_path: Path, doubling: Path) -> None:
        for version in VERSIONS:
            worker = open_worker(version, tmp_path / "engines")
            load(worker, doubling)
            assert engines_of(worker).trt.built == ["double.onnx"]
        for change in (
            {"cudaDriverGetVersion": lambda version: 0},
            {"cudaGetDeviceProperties": lambda properties, device: 0},  # a GPU without a name
        ):
            cuda = ImitatedCuda()
            vars(cuda).update(change)
            worker = open_worker(NEWEST, tmp_path / "engines", cuda)
            load(worker, doubling)
            assert engines_of(worker).trt.built == ["double.onnx"]

    def test_another_recipe_builds_anew(
        self, tmp_path: Path, doubling: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load(open_worker(NEWEST, tmp_path / "engines"), doubling)
        monkeypatch.setattr(engines, "RECIPE", engines.RECIPE + 1)
        worker = open_worker(NEWEST, tmp_path / "engines")
        load(worker, doubling)
        assert engines_of(worker).trt.built == ["double.onnx"]

    def test_other_shapes_or_graphs_are_other_engines(self, tmp_path: Path, doubling: Path) -> None:
        kept = engines_of(open_worker(NEWEST, tmp_path / "engines"))
        graph = doubling.with_name("double.onnx")
        first = kept.key(str(graph), {"x": [[1], [1], [1]]})
        assert kept.key(str(graph), {"x": [[1], [1], [1]]}) == first
        assert kept.key(str(graph), {"x": [[1], [1], [2]]}) != first
        write_graph(graph, DOUBLE.replace("Add", "Mul"))
        assert kept.key(str(graph), {"x": [[1], [1], [1]]}) != first

    @pytest.mark.parametrize("place", ["blob.bin", "deep/" * 30 + "blob.bin"])
    def test_weights_count_as_far_as_a_graph_uses_them(self, tmp_path: Path, place: str) -> None:
        weight = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
        onnx.external_data_helper.set_external_data(weight, place, offset=4096, length=16)
        weight.ClearField("raw_data")
        model = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["": 17]> '
            "g (float[4] x) => (float[4] y) { y = Add(x, w) }"
        )
        model.graph.initializer.append(weight)
        graph, blob = tmp_path / "g.onnx", tmp_path / place
        blob.parent.mkdir(parents=True, exist_ok=True)
        graph.write_bytes(model.SerializeToString())
        blob.write_bytes(bytes(4112))
        kept = engines_of(open_worker(NEWEST, tmp_path / "engines"))
        first = kept.key(str(graph), {})
        with blob.open("ab") as file:  # another architecture needed more
            file.write(b"more")
        assert kept.key(str(graph), {}) == first
        blob.write_bytes(bytes(4111) + b"\1")
        assert kept.key(str(graph), {}) != first

    def test_a_file_named_like_an_operator_is_no_weights(
        self, tmp_path: Path, doubling: Path
    ) -> None:
        kept = engines_of(open_worker(NEWEST, tmp_path / "engines"))
        graph = doubling.with_name("double.onnx")
        first = kept.key(str(graph), {})
        assert b"Add" in graph.read_bytes()
        graph.with_name("Add").write_bytes(b"anything")
        assert kept.key(str(graph), {}) == first

    def test_a_disk_that_is_full_costs_no_measurement(
        self,
        tmp_path: Path,
        doubling: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def full(path: str, content: bytes) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(kept_files, "write_own", full)
        worker = open_worker(NEWEST, tmp_path / "engines")
        load(worker, doubling)
        assert "cannot be kept: No space left on device" in capsys.readouterr().err

    @pytest.mark.parametrize("how", ["others may write", "a link", "not an engine"])
    def test_an_engine_of_somebody_else_is_not_loaded(
        self, tmp_path: Path, doubling: Path, how: str
    ) -> None:
        folder = tmp_path / "engines"
        load(open_worker(NEWEST, folder), doubling)
        (kept,) = folder.glob("*.engine")
        assert kept.stat().st_mode & 0o777 == 0o600
        if how == "others may write":
            kept.chmod(0o620)
        elif how == "a link":
            kept.rename(tmp_path / "elsewhere")
            kept.symlink_to(tmp_path / "elsewhere")
        else:
            kept.write_bytes(b"\0 junk")
        worker = open_worker(NEWEST, folder)
        load(worker, doubling)
        assert engines_of(worker).trt.built == ["double.onnx"]
        assert ask(worker, "outputs", id="w")["outputs"]["model"]["y"]["sum"] == 14.0

    def test_the_folder_is_the_users_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        folder = Path(kept_files.cache_folder())
        assert folder == tmp_path / "automoe/engines"
        assert folder.stat().st_mode & 0o777 == 0o700
        folder.chmod(0o770)
        with pytest.raises(RuntimeError, match=r"must be your own folder.* chmod 700"):
            kept_files.cache_folder()

    def test_what_was_not_used_for_longest_makes_room(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept_files, "CACHE_BYTES", 100)
        for age, name in ((3, "old"), (2, "middle"), (1, "new")):
            path = tmp_path / f"{name}.engine"
            path.write_bytes(bytes(40))
            os.utime(path, (1000 - age, 1000 - age))
        kept_files.make_room(str(tmp_path), 20)
        assert sorted(path.stem for path in tmp_path.iterdir()) == ["middle", "new"]

    def test_timings_are_lent_to_the_next_build(self, tmp_path: Path, digits: Path) -> None:
        worker = open_worker(NEWEST, tmp_path / "engines")
        load(worker, digits)
        assert engines_of(worker).trt.timings_given == [b"", b"timed;"]
        assert [path.suffix for path in (tmp_path / "engines").glob("*.timings")] == [".timings"]

    def test_kernels_are_compiled_once(self, tmp_path: Path, doubling: Path) -> None:
        folder, given = tmp_path / "engines", []
        for content in (None, None, b"of another driver"):
            if content:
                (kernels,) = folder.glob("*.kernels")
                kernels.write_bytes(content)
            worker = open_worker("tensorrt_rtx 1.7.1.116", folder)
            load(worker, doubling)
            given += engines_of(worker).trt.kernels_given
            assert ask(worker, "unload", id="w") == {}
        assert given == [b"", b"compiled", b"of another driver"]
        (kernels,) = folder.glob("*.kernels")
        assert kernels.read_bytes() == b"compiled"  # compiled anew, and kept
        worker = open_worker(NEWEST, tmp_path / "others")
        load(worker, doubling)
        ask(worker, "unload", id="w")
        assert not list((tmp_path / "others").glob("*.kernels"))


class TestRefusals:
    """Each is an answer, and the worker lives on."""

    def test_without_a_driver(self, tmp_path: Path) -> None:
        reply = ask(open_worker(NEWEST, tmp_path / "engines", ImitatedCuda(status=35)), "hello")
        assert "cudaGetDeviceCount failed: CUDA driver version is insufficient" in reply["error"]
        assert "(cudaError 35)" in reply["error"]

    def test_without_memory(self, tmp_path: Path, digits: Path) -> None:
        cuda = ImitatedCuda()
        worker = open_worker(NEWEST, tmp_path / "engines", cuda)
        ask(worker, "hello")
        cuda.status = 2
        error = load(worker, digits)["error"]
        assert "(cudaError 2); free memory of the GPU" in error

    def test_a_gpu_that_failed_ends_the_process(
        self,
        tmp_path: Path,
        digits: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        # Everything after it would fail too; the host starts a new one.
        def leave(code: int) -> None:
            raise SystemExit(code)

        monkeypatch.setattr(os, "_exit", leave)
        cuda = ImitatedCuda()
        worker = open_worker(NEWEST, tmp_path / "engines", cuda)
        load(worker, digits)
        cuda.cudaStreamSynchronize = lambda stream: 700  # type: ignore[method-assign,assignment]
        with pytest.raises(SystemExit, match="1"):
            ask(worker, "block", id="w", samples=1)
        assert "cudaStreamSynchronize failed" in capsys.readouterr().err

    @EVERY_VERSION
    def test_a_graph_that_the_parser_refuses(self, version: str, tmp_path: Path) -> None:
        write_graph(tmp_path / "g.onnx", "g (float[n] x) => (int64[1, m] y) { y = NonZero(x) }")
        call = Call("model", "g", inputs={"x": TensorSpec("float32", (2,), values=(1.0,))})
        Workload({"g": "g.onnx"}, (call,)).save(tmp_path / "w.json")
        error = load(open_worker(version, tmp_path / "engines"), tmp_path / "w.json")["error"]
        operator = "" if version.startswith("tensorrt 8") else ", NonZero"
        assert f"refuses g.onnx: node 0{operator}: no importer for it" in error

    def test_the_reason_is_not_that_of_an_older_graph(
        self, tmp_path: Path, doubling: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worker = open_worker(NEWEST, tmp_path / "engines")
        engines_of(worker).log.log(engines_of(worker).trt.ILogger.ERROR, "of yesterday")
        builder = engines_of(worker).trt.Builder
        monkeypatch.setattr(builder, "build_serialized_network", lambda *given: None)
        error = load(worker, doubling)["error"]
        assert "builds no engine of double.onnx: it gives no reason" in error

    def test_a_shape_that_the_engine_is_not_built_for(self, tmp_path: Path, digits: Path) -> None:
        document = json.loads(digits.read_text())
        document["shape_ranges"]["digit"]["cache"] = [[0], [1], [1]]
        digits.write_text(json.dumps(document))
        worker = open_worker(NEWEST, tmp_path / "engines")
        load(worker, digits)
        error = ask(worker, "outputs", id="w")["error"]
        assert "the engine was not built for (2,) of 'cache'" in error

    def test_outputs_that_become_inputs_need_ranges(self, tmp_path: Path, digits: Path) -> None:
        document = json.loads(digits.read_text())
        document["shape_ranges"] = {}
        digits.write_text(json.dumps(document))
        error = load(open_worker(NEWEST, tmp_path / "engines"), digits)["error"]
        message = "'shape_ranges' of 'digit' must give the shapes of cache, number, number"
        assert message in error

    def test_an_input_that_no_range_covers(self, tmp_path: Path, doubling: Path) -> None:
        document = json.loads(doubling.read_text())
        document["shape_ranges"] = {"double": {}}
        doubling.write_text(json.dumps(document))
        error = load(open_worker(NEWEST, tmp_path / "engines"), doubling)["error"]
        assert "the shapes that input 'x' may have are not given" in error


def test_ranges_are_those_of_the_inputs_when_none_are_given() -> None:
    steps = [{"shape": [1, n]} for n in (4, 2, 3)]
    call = {"graph": "g", "inputs": {"x": {"shape": [5]}}, "step_inputs": {"y": steps}}
    document = {"calls": [{**call, "from_calls": {}, "carry": {}}]}
    assert shape_ranges(document, "g") == {
        "x": [[5], [5], [5]],
        "y": [[1, 2], [1, 3], [1, 4]],
    }


def test_every_name_that_is_listed_is_one_of_the_real_module() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="needs the extra rtx")
    listed = VERSIONS["tensorrt_rtx 1.7.1.116"]
    missing = [
        f"{kind}.{name}"
        for kind, names in listed.items()
        for name in names
        if not hasattr(getattr(trt, kind), name)
    ]
    assert len(listed) > 15
    assert missing == []


def test_every_function_of_cuda_is_one_of_the_real_library() -> None:
    try:
        library = open_cuda("tensorrt")
    except RuntimeError as error:
        pytest.skip(str(error))
    called = set(re.findall(r"\bcuda[A-Z]\w+", SOURCE)) - {"cudaError"}
    called -= {"cudaMemcpyKind", "cudaDeviceAttr", "cudaDeviceProp"}  # types
    assert len(called) > 10
    assert [name for name in sorted(called) if not hasattr(library, name)] == []
    imitated = vars(ImitatedCuda) | vars(ImitatedCuda())
    assert [name for name in sorted(called) if name not in imitated] == []


def test_every_name_of_tensorrt_is_listed() -> None:
    touched = {
        node.attr
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "trt"
    }
    listed = {kind for kinds in VERSIONS.values() for kind in kinds}
    assert touched - listed == {"__version__"}


def child(folder: Path, runtime: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers of a worker in a process of its own."""
    program = folder / NAME
    program.write_bytes(worker_program(runtime))
    run = subprocess.run(
        [sys.executable, str(program)],
        input=b"".join(json.dumps(request).encode() + b"\n" for request in requests),
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "AUTOMOE_RUNTIME": runtime, "AUTOMOE_PROVIDER": "CUDAExecutionProvider"},
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_missing_runtime_is_an_answer(tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed here")
    hello, last = child(tmp_path, "tensorrt", {"op": "hello"}, {"op": "quit"})
    assert hello["error"].startswith(("ModuleNotFoundError: No module named 'tensorrt'", "Runtime"))
    assert last == {}


@needs_rtx
def test_a_missing_gpu_is_an_answer(tmp_path: Path) -> None:
    hello, _ = child(tmp_path, "tensorrt-rtx", {"op": "hello"}, {"op": "quit"})
    if "error" not in hello:
        pytest.skip("there is a GPU here")
    assert "libcudart is not found" in hello["error"] or "cudaGetDeviceCount" in hello["error"]
