"""This module describes a workload: graphs, their calls, and every input tensor.

A workload is a JSON file beside its ONNX graphs. A translation is two calls: one run of the
encoder, and e.g. 30 runs of the decoder with a growing cache of keys and values. Any other ONNX
file is one call.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from devices.files import write_json
from devices.yaml_json import parse_json
from profilers.workload.fields import FieldReader, WorkloadError

SCHEMA_VERSION = 1
DTYPES = (
    *("float16", "float32", "float64", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
# A call `<name>` must not have one of these names, because the log has such columns `<name>_ms`.
RESERVED_CALL_NAMES = frozenset(
    (
        *("latency", "raw_latency", "ci_low", "ci_high", "cpu", "min", "mad", "load"),
        *("p90", "p95", "p99", "sentinel", "sentinel_reference", "gpu"),
    )
)


ShapeRange = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input tensor.

    Attributes:
        dtype: The NumPy name of its type, one of `DTYPES`.
        shape: Its dimensions. Zero is allowed, for an empty cache.
        values: One value per element in row-major order, or a single value that fills the tensor.
        seed: The seed of standard-normal values, instead of `values`. It is only for floating
            point.

    Raises:
        WorkloadError: The fields contradict each other.
    """

    dtype: str
    shape: tuple[int, ...]
    values: tuple[int | float | bool, ...] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise WorkloadError(f"'dtype' must be one of {', '.join(DTYPES)}. Got {self.dtype!r}.")
        if any(size < 0 for size in self.shape):
            raise WorkloadError(f"'shape' must not be negative. Got {self.shape}.")
        if (self.values is None) == (self.seed is None):
            raise WorkloadError("Give either 'values' or 'seed'. Got both or neither.")
        if self.seed is not None and not self.dtype.startswith("float"):
            raise WorkloadError(
                f"'seed' draws normal values, so 'dtype' must be floating point. "
                f"Got {self.dtype!r}; give 'values'."
            )
        for value in self.values or ():
            if not isinstance(value, int | float):
                raise WorkloadError(f"'values' must hold numbers. Got {value!r:.40}.")
        if self.values is not None and len(self.values) not in (1, prod(self.shape)):
            raise WorkloadError(
                f"'values' must hold 1 or {prod(self.shape)} numbers for shape {self.shape}. "
                f"Got {len(self.values)}."
            )


@dataclass(frozen=True, slots=True)
class Call:
    """One graph, run `repeat` times in a row.

    Attributes:
        name: Its name. The log's column is `<name>_ms`.
        graph: The name of the graph that it runs.
        repeat: The number of runs in one sample.
        inputs: The tensors of every run, or only of the first when `carry` replaces them.
        step_inputs: The tensors that differ from run to run, one per run.
        from_calls: The inputs that take an output of an earlier call: `{input: (call, output)}`.
        carry: The outputs that become inputs of the next run: `{output: input}`.
        routing_outputs: The integer outputs that say which expert served each token. They are
            counted once, in an untimed run.

    Raises:
        WorkloadError: A field is out of range or an input has two sources.
    """

    name: str
    graph: str
    repeat: int = 1
    inputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    step_inputs: Mapping[str, tuple[TensorSpec, ...]] = field(default_factory=dict)
    from_calls: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    carry: Mapping[str, str] = field(default_factory=dict)
    routing_outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise WorkloadError(f"A call's 'name' must be an identifier. Got {self.name!r}.")
        if self.name in RESERVED_CALL_NAMES:
            raise WorkloadError(
                f"A call's 'name' must not be one of {sorted(RESERVED_CALL_NAMES)}, which are "
                f"columns of the log. Got {self.name!r}."
            )
        if self.repeat < 1:
            raise WorkloadError(f"'repeat' of {self.name!r} must be at least 1. Got {self.repeat}.")
        for name, steps in self.step_inputs.items():
            if len(steps) != self.repeat:
                raise WorkloadError(
                    f"'step_inputs' {name!r} of {self.name!r} must hold repeat={self.repeat} "
                    f"tensors. Got {len(steps)}."
                )
        self._require_one_source_per_input()

    def _require_one_source_per_input(self) -> None:
        if twice := _repeated([*self.inputs, *self.step_inputs, *self.from_calls]):
            raise WorkloadError(
                f"Each input of {self.name!r} must have one source. Got two for {twice}."
            )
        if shared := _repeated(self.carry.values()):
            raise WorkloadError(
                f"'carry' of {self.name!r} must fill each input once. Got two outputs for {shared}."
            )
        if orphans := sorted({*self.carry.values()} - {*self.inputs, *self.from_calls}):
            raise WorkloadError(
                f"'carry' of {self.name!r} needs a first value for {orphans}. "
                f"Give it in 'inputs' or 'from_calls'."
            )


@dataclass(frozen=True, slots=True)
class Workload:
    """The graphs and calls of one sample.

    Attributes:
        graphs: The ONNX file of each graph, by name. The path is absolute or relative to the
            workload's own file.
        calls: The calls of one sample, in order.
        shape_ranges: The least, typical and greatest shape of inputs, by graph and input. A
            runtime that builds engines needs them when outputs become inputs.

    Raises:
        WorkloadError: A call names an unknown graph or a call that is not an earlier one, or a
            range is wrong.
    """

    graphs: Mapping[str, str]
    calls: tuple[Call, ...]
    shape_ranges: Mapping[str, Mapping[str, ShapeRange]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for graph, ranges in self.shape_ranges.items():
            for name, shapes in ranges.items():
                _require_range(graph, name, shapes)
        if not self.calls:
            raise WorkloadError("'calls' must not be empty: there is nothing to time.")
        earlier: set[str] = set()
        for call in self.calls:
            self._require_known(call, earlier)
            earlier.add(call.name)

    def _require_known(self, call: Call, earlier: set[str]) -> None:
        if call.name in earlier:
            raise WorkloadError(f"Call names must be unique. Got {call.name!r} twice.")
        if call.graph not in self.graphs:
            raise WorkloadError(
                f"'graph' of {call.name!r} must be one of {sorted(self.graphs)}. "
                f"Got {call.graph!r}."
            )
        for source, _ in call.from_calls.values():
            if source not in earlier:
                raise WorkloadError(
                    f"'from_calls' of {call.name!r} must name an earlier call, one of "
                    f"{sorted(earlier)}. Got {source!r}."
                )

    def save(self, path: Path) -> None:
        """Write the workload as JSON. The graphs are not copied."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        write_json(path, document, indent=None)

    @classmethod
    def load(cls, path: Path) -> "Workload":
        """Return the workload written at `path`.

        Raises:
            WorkloadError: The file is not a workload. The message names the field and the remedy.
            OSError: The file cannot be read.
        """
        try:
            document = parse_json(path.read_bytes())
        except ValueError as error:
            raise WorkloadError(
                f"{path} is not JSON: {error}. Write it with Workload.save."
            ) from None
        try:
            return _workload(FieldReader(document, where=str(path)))
        except WorkloadError as error:
            place = "" if str(error).startswith(str(path)) else f"{path}: "
            raise WorkloadError(f"{place}{error}") from None


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _workload(reader: FieldReader) -> Workload:
    version = reader.integer("schema_version")
    if version != SCHEMA_VERSION:
        raise WorkloadError(
            f"'schema_version' must be {SCHEMA_VERSION}. Got {version}. Write the file again."
        )
    graphs = {name: str(file) for name, file in reader.table("graphs").items()}
    ranges = {
        str(graph): {str(name): _shapes(shapes) for name, shapes in dict(of_graph).items()}
        for graph, of_graph in (reader.optional("shape_ranges", dict) or {}).items()
    }
    return Workload(graphs, tuple(_call(item) for item in reader.readers("calls")), ranges)


def _shapes(shapes: Any) -> ShapeRange:
    if not isinstance(shapes, list) or not all(isinstance(shape, list) for shape in shapes):
        raise WorkloadError(f"'shape_ranges' must hold three shapes per input. Got {shapes!r:.60}.")
    return tuple(tuple(shape) for shape in shapes)


def _require_range(graph: str, name: str, shapes: ShapeRange) -> None:
    sizes = list(zip(*shapes, strict=False))
    is_whole = len(shapes) == 3 and len({len(shape) for shape in shapes}) == 1
    if not is_whole or any(list(size) != sorted(size) or size[0] < 0 for size in sizes):
        raise WorkloadError(
            f"'shape_ranges' of {name!r} of {graph!r} must be its least, typical and greatest "
            f"shape. Got {shapes}."
        )


def _call(reader: FieldReader) -> Call:
    steps = reader.child("step_inputs")
    return Call(
        name=reader.text("name"),
        graph=reader.text("graph"),
        repeat=reader.integer("repeat"),
        inputs={name: _tensor(item) for name, item in reader.child("inputs").children()},
        step_inputs={name: tuple(map(_tensor, steps.readers(name))) for name in steps.value},
        from_calls={name: _source(pair) for name, pair in reader.table("from_calls").items()},
        carry={name: str(target) for name, target in reader.table("carry").items()},
        routing_outputs=tuple(map(str, reader.optional("routing_outputs", list) or ())),
    )


def _source(pair: Any) -> tuple[str, str]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise WorkloadError(f"'from_calls' must map an input to [call, output]. Got {pair!r}.")
    return str(pair[0]), str(pair[1])


def _tensor(reader: FieldReader) -> TensorSpec:
    values = reader.optional("values", list)
    return TensorSpec(
        dtype=reader.text("dtype"),
        shape=tuple(reader.integers("shape")),
        values=None if values is None else tuple(values),
        seed=reader.optional("seed", int),
    )
