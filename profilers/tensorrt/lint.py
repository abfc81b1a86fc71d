"""This module tells from an ONNX graph alone whether TensorRT can parse it, and if not, why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from profilers.tensorrt.dialects import DIALECTS, Dialect, Version
from profilers.tensorrt.element_types import (
    DOUBLE,
    INT64,
    TYPED_INPUT,
    TYPED_OUTPUT,
    tensor_refusal,
    type_refusal,
)
from profilers.tensorrt.operator_restrictions import restriction
from profilers.tensorrt.supported_operators import STANDARD_DOMAINS, operator_refusal
from profilers.tensorrt.tensor_facts import (
    SHAPED_BY_DATA,
    NodeFacts,
    TensorFacts,
    types_and_ranks,
)
from profilers.workload.from_onnx import load_onnx
from profilers.workload.subgraphs import bodies

if TYPE_CHECKING:  # onnx is slow to import
    from onnx import GraphProto, ModelProto, NodeProto


@dataclass(frozen=True, slots=True)
class LintFinding:
    """Something that a dialect refuses, or that one must know before an engine is built.

    Attributes:
        severity: "refusal" when the graph cannot be parsed, otherwise "note".
        node: The node's name, or its place when it has no name. It is empty when the finding is
            about the graph.
        operator: The node's operator. It is empty when the finding is about the graph.
        reason: The reason, as one line.
    """

    severity: Literal["refusal", "note"]
    node: str
    operator: str
    reason: str


def lint_graph(path: Path, dialect: str) -> tuple[LintFinding, ...]:
    """Return the findings of a dialect. Without a "refusal" TensorRT can parse the graph.

    Args:
        path: The ONNX file. Its weights are not read, but they must be there.
        dialect: One of ``DIALECTS``.

    Raises:
        WorkloadError: The file is not ONNX.
        ValueError: There is no such dialect.
        OSError: The file cannot be read.
    """
    return lint_dialects(path, (dialect,))[dialect]


def lint_dialects(
    path: Path, dialects: Iterable[str], model: "ModelProto | None" = None
) -> dict[str, tuple[LintFinding, ...]]:
    """Return the findings of each dialect, see `lint_graph`. The file is read at most twice.

    Args:
        path: The ONNX file.
        dialects: Some of ``DIALECTS``.
        model: What `load_onnx` returned for it; None opens the file.
    """
    known: dict[bool, _Described] = {} if model is None else {True: _Described(model, path)}
    findings = {}
    for dialect in dialects:
        if dialect not in DIALECTS:
            raise ValueError(f"'dialect' must be one of {', '.join(DIALECTS)}. Got {dialect!r}.")
        rules = DIALECTS[dialect]
        if rules.has_functions not in known:  # otherwise the calls of functions are operators
            opened = load_onnx(path, inlines=rules.has_functions)
            known[rules.has_functions] = _Described(opened, path)
        findings[dialect] = tuple(_Lint(known[rules.has_functions], rules).findings())
    return findings


class _Described:
    """A model, its missing weight, and the types and numbers of dimensions of its tensors."""

    def __init__(self, model: "ModelProto", path: Path) -> None:
        from profilers.workload.stored_weights import missing_weight

        self.model, self.missing_weight = model, missing_weight(model, path)
        self.types, self.ranks = types_and_ranks(model)

    def facts(self, version: Version) -> TensorFacts:
        """Return what a release of TensorRT knows of the tensors before it visits a node."""
        return TensorFacts(self.model, version, self.types, self.ranks)


class _Lint:
    """The findings of one graph in one dialect."""

    def __init__(self, described: _Described, dialect: Dialect) -> None:
        self._model = model = described.model
        self._missing_weight = described.missing_weight
        self._dialect = dialect
        self._tensors = described.facts(dialect.version)
        self._ends = {x.name for x in (*model.graph.input, *model.graph.output)}
        self._told: set[str] = set()  # tensors that no operator takes

    def findings(self) -> Iterator[LintFinding]:
        if self._missing_weight:
            yield LintFinding("refusal", "", "", self._missing_weight)
        yield from self._opset()
        yield from self._inputs()
        yield from self._nodes(self._model.graph)

    def _opset(self) -> Iterator[LintFinding]:
        for entry in self._model.opset_import:
            if entry.domain in STANDARD_DOMAINS and entry.version > self._dialect.max_opset:
                newest = f"{self._dialect.max_opset}, the newest that it reads"
                reason = f"opset {entry.version} is newer than {newest}; export with an older one"
                yield LintFinding("refusal", "", "", reason)

    def _inputs(self) -> Iterator[LintFinding]:
        weights = {tensor.name for tensor in self._model.graph.initializer}
        inputs = [x for x in self._model.graph.input if x.name not in weights]
        for value in inputs:
            if not value.type.tensor_type.elem_type:
                reason = f"its input {value.name!r} must be a tensor with an element type"
                yield LintFinding("refusal", "", "", reason)
        narrow = [x.name for x in inputs if x.type.tensor_type.elem_type == INT64]
        if narrow and not self._dialect.has_int64:
            yield _note(f"INT64 is narrowed to INT32; give {_listed(narrow)} as INT32")
        n_doubles = sum(kind == DOUBLE for kind in self._tensors.types.values())
        if n_doubles:
            yield _note(f"DOUBLE is narrowed to FLOAT; {n_doubles} tensors are")
        open_inputs = [
            x.name for x in inputs if any(not d.dim_value for d in x.type.tensor_type.shape.dim)
        ]
        if open_inputs:
            yield _note(f"an optimisation profile must give the shapes of {_listed(open_inputs)}")

    def _nodes(self, graph: "GraphProto") -> Iterator[LintFinding]:
        self._tensors.enter(graph)
        for index, node in enumerate(graph.node):
            self._tensors.visit(node)
            for severity, reason in self._reasons(NodeFacts(node, self._tensors)):
                yield LintFinding(severity, node.name or f"node {index}", node.op_type, reason)
            self._tensors.leave(node)
            for body in bodies(node):
                self._tensors.enter_body(body)
                yield from self._nodes(body)

    def _reasons(self, facts: NodeFacts) -> Iterator[tuple[Literal["refusal", "note"], str]]:
        operator = facts.node.op_type
        refusal = (
            operator_refusal(facts.node.domain, operator, self._dialect)
            or self._type_refusal(facts.node)
            or restriction(facts, self._dialect)
        )
        if refusal:
            yield "refusal", refusal
            return
        shapes = facts.shapes()
        given = [name for name in shapes if name in self._tensors.from_sizes]
        if given:
            yield "note", f"{_listed(given)} gives a shape: it lies on the CPU, not the GPU"
        is_old = self._dialect.version < (10, 0)
        if operator in SHAPED_BY_DATA or not self._tensors.from_data.isdisjoint(shapes):
            how = "its output's shape depends on data"
            if is_old and operator not in SHAPED_BY_DATA:
                yield "refusal", f"{how}, which 8.x takes only from NonZero and NonMaxSuppression"
            else:
                yield "note", f"{how}: the CPU waits for it, and no CUDA graph can hold it"

    def _type_refusal(self, node: "NodeProto") -> str:
        """Return why the element types of a node are refused; empty when they are taken.

        A tensor that no operator takes is told of once, where it first appears.
        """
        types, ranks, version = self._tensors.types, self._tensors.ranks, self._dialect.version
        for name in (*node.input, *node.output):
            if name in self._told:
                continue
            number, rank, is_end = types.get(name, 0), ranks.get(name, 0), name in self._ends
            if reason := tensor_refusal(name, number, rank, is_end=is_end, version=version):
                self._told.add(name)
                return reason
        place = TYPED_INPUT.get(node.op_type, 0)
        names = node.output if node.op_type in TYPED_OUTPUT else node.input[place:]
        if not names or names[0] in self._told:
            return ""
        return type_refusal(node.op_type, types.get(names[0], 0), version)


def _note(reason: str) -> LintFinding:
    return LintFinding("note", "", "", reason)


def _listed(names: Iterable[str], shown: int = 4) -> str:
    given = list(names)
    more = f" and {len(given) - shown} more" if len(given) > shown else ""
    return ", ".join(given[:shown]) + more
