"""This module counts what one sample of a workload costs: every call with every step.

The routing is that of the workload. An input may decide which expert serves each token, by a bias
that is larger than any logit. Then the tokens of each expert are counted in this input. When the
graph's own router decides, all experts get equally many tokens.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from profilers.costs.graph import GraphCosts, costs_of_nodes, even_rows
from profilers.workload.fields import WorkloadError
from profilers.workload.workload import Call, TensorSpec, Workload

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import NodeProto

    from profilers.costs.memory import Place
    from profilers.costs.shapes import OpenedGraph
    from profilers.costs.values import ShapedNode, Value

_DECISIVE = 1e3  # between the best and the second expert: logits of a router never differ so much


def costs_of_workload(path: Path) -> GraphCosts:
    """Return the costs of one sample of the workload at `path`.

    FLOPs, bytes read, activations and operators are sums over all runs. A weight counts once in
    `weight_bytes`, however many graphs share it. The peak is the highest peak of all runs, with
    the weights of every graph. A node is folded once for each call, not for each of its steps.

    Raises:
        WorkloadError: The file is not a workload, or does not match its graphs.
        OSError: A file cannot be read.
    """
    return _sample_of(path).costs()


def costs_of_runs(path: Path) -> dict[str, tuple[GraphCosts, ...]]:
    """Return the costs of every run of one sample of the workload at `path`, by call, in order.

    Raises:
        WorkloadError: The file is not a workload, or does not match its graphs.
        OSError: A file cannot be read.
    """
    return {name: tuple(runs) for name, runs in _sample_of(path).runs.items()}


def _sample_of(path: Path) -> "_Sample":
    from profilers.costs.shapes import OpenedGraph

    workload = Workload.load(path)
    graphs = {name: OpenedGraph(path.parent / file) for name, file in workload.graphs.items()}
    sample = _Sample()
    for call in workload.calls:
        sample.run(call, graphs[call.graph])
    return sample


class _Sample:
    """The runs of one sample, with the values that later calls take from earlier ones."""

    def __init__(self) -> None:
        self._produced: dict[str, Mapping[str, Value]] = {}
        self.runs: dict[str, list[GraphCosts]] = {}
        self._weights: dict[Place, int] = {}
        self._held: dict[Place, int] = {}
        self._most_live_bytes = 0
        self._unknown: dict[str, None] = {}

    def run(self, call: Call, graph: "OpenedGraph") -> None:
        """Count all runs of a call."""
        from profilers.costs.memory import Weights
        from profilers.costs.values import value_of

        feeds = {name: value_of(spec) for name, spec in call.inputs.items()}
        for name, (source, output) in call.from_calls.items():
            feeds[name] = _produced(self._produced[source], output, source)
        for step in range(call.repeat):
            specs = {**call.inputs, **{name: x[step] for name, x in call.step_inputs.items()}}
            feeds |= {name: value_of(steps[step]) for name, steps in call.step_inputs.items()}
            inputs = {name: feeds[name] for name in _given(graph, feeds, call)}
            nodes = graph.shaped_nodes(inputs, _DecidedRows(graph, specs))
            weights = Weights(graph, nodes)
            costs = costs_of_nodes(graph, nodes, inputs, weights)
            live_bytes = costs.peak_memory_bytes - sum(weights.held.values())
            self._most_live_bytes = max(self._most_live_bytes, live_bytes)
            self._weights |= weights.n_bytes
            self._held |= weights.held
            self.runs.setdefault(call.name, []).append(costs)
            self._unknown |= dict.fromkeys(f"{call.name}: {x}" for x in costs.unknown_nodes)
            named = _named(nodes)
            self._produced[call.name] = named
            feeds |= {x: _produced(named, output, call.name) for output, x in call.carry.items()}

    def costs(self) -> GraphCosts:
        """Return the sums over all runs, and the highest peak."""
        all_runs = [run for runs in self.runs.values() for run in runs]
        operators: Counter[str] = Counter()
        for run in all_runs:
            operators.update(run.operators)
        return GraphCosts(
            flops=sum(run.flops for run in all_runs),
            weight_bytes=sum(self._weights.values()),
            touched_weight_bytes=sum(run.touched_weight_bytes for run in all_runs),
            activation_bytes=sum(run.activation_bytes for run in all_runs),
            peak_memory_bytes=sum(self._held.values()) + self._most_live_bytes,
            operators=dict(operators.most_common()),
            unknown_nodes=tuple(self._unknown),
            folded_flops=sum(
                max(run.folded_flops for run in of_call) for of_call in self.runs.values()
            ),
        )


class _DecidedRows:
    """A function that reads from the inputs of a run how many tokens each expert gets."""

    def __init__(self, graph: "OpenedGraph", specs: Mapping[str, TensorSpec]) -> None:
        self._makers = {name: node for node in graph.graph.node for name in node.output}
        self._specs = specs

    def __call__(self, split: "NodeProto", n_segments: int, n_rows: int) -> tuple[int, ...]:
        for name in self._sources(split.input[1]):
            spec = self._specs.get(name)
            if spec is not None and spec.shape == (n_rows, n_segments):
                return _tokens_per_column(spec) or even_rows(split, n_segments, n_rows)
        return even_rows(split, n_segments, n_rows)

    def _sources(self, name: str) -> Iterable[str]:
        """Yield the names of the values that make a value, nearest first.

        The router's product and the values before it are left out.
        """
        from profilers.costs.operator_flops import counts
        from profilers.costs.values import operator_name

        seen, names = {name}, [name]
        for source in names:
            yield source
            maker = self._makers.get(source)
            if maker is not None and not counts(operator_name(maker)):
                names += [x for x in dict.fromkeys(maker.input) if x not in seen]
                seen.update(maker.input)


def _tokens_per_column(spec: TensorSpec) -> tuple[int, ...] | None:
    """Return how many rows have their maximum in each column.

    Return None when the maximum of a row is not larger than the rest by `_DECISIVE`.
    """
    if spec.values is None or len(spec.values) == 1 < np.prod(spec.shape):
        return None
    bias_TN = np.asarray(spec.values, dtype=np.float64).reshape(spec.shape)
    best_T2 = np.sort(bias_TN, axis=1)[:, -2:]
    if len(bias_TN) == 0 or np.min(best_T2[:, -1] - best_T2[:, 0]) < _DECISIVE:
        return None
    return tuple(np.bincount(bias_TN.argmax(axis=1), minlength=spec.shape[1]).tolist())


def _named(nodes: "Iterable[ShapedNode]") -> "Mapping[str, Value]":
    return {
        name: value
        for node in nodes
        for name, value in zip(node.proto.output, node.outputs, strict=True)
    }


def _produced(values: "Mapping[str, Value]", output: str, call: str) -> "Value":
    from profilers.costs.values import Value

    if output not in values:
        raise WorkloadError(
            f"'{call}' has no output '{output}', which the workload takes from it. Correct "
            f"'from_calls' or 'carry'."
        )
    return Value(values[output].elem_type, values[output].shape)


def _given(graph: "OpenedGraph", feeds: "Mapping[str, Value]", call: Call) -> tuple[str, ...]:
    missing = sorted(set(graph.inputs) - set(feeds))
    if missing:
        raise WorkloadError(f"'{call.name}' must give the inputs {missing} of {graph.path}.")
    unknown = sorted(set(feeds) - set(graph.inputs))
    if unknown:
        raise WorkloadError(f"'{call.name}' gives {unknown}, which {graph.path} does not take.")
    return graph.inputs
