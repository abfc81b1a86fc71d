"""This module chooses the values of integer and boolean inputs that a user does not give.

A value is chosen by the name of the input and by what the graph does with it: a length is the size
of the axis that it speaks of, a mask is 1, an index lies within its table. Every choice comes with
the words that tell the user and the log what was chosen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from profilers.workload.declared_inputs import DeclaredInput, Shapes

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import GraphProto, NodeProto, TensorProto

Number = int | float | bool

_LENGTHS = frozenset(
    {"len", "lens", "length", "lengths", "seqlen", "seqlens", "lenghts", "frames", "ilens", "olens"}
)
_COUNTS = frozenset({"num", "n", "number", "count"})
_MASKS = frozenset({"mask", "masks", "msk"})
_POSITIONS = frozenset({"position", "positions", "pos", "posids"})
_RATES = frozenset({"sr", "fs", "samplerate", "samplingrate"})
_SEGMENTS = frozenset({"type", "segment", "segments", "speaker", "language", "lang", "sid", "lid"})
_TIME_AXIS = re.compile(r"^t$|^l$|^s$|len|seq|time|frame|token|step|width|samples", re.I)
_SOUND = frozenset({"audio", "feats", "features", "fbank", "mel", "spec", "spectrogram"})
_SAMPLING_RATE = 16000
_STRIDE = 7919  # a prime, so that chosen indices are spread over a table
# Operators that pass the elements of their first input on.
_PASS_ON = frozenset(
    (
        *("Cast", "CastLike", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose"),
        "Unsqueeze",
    )
)
# What an input must be where an operator takes it at this place, whatever its name is.
_ENDS = frozenset((("Slice", 2), ("Range", 1), ("LSTM", 4), ("GRU", 4), ("RNN", 4)))
_LENGTH_USES = _ENDS | {("ReverseSequence", 1), ("TensorScatter", 2)}
_PAST_USES = frozenset({("GroupQueryAttention", 3), ("GroupQueryAttention", 4)})
_ONE_USES = frozenset(
    (
        *(("Div", 1), ("Mod", 1), ("TopK", 1), ("Tile", 1), ("Slice", 4), ("Range", 2)),
        *(("ConstantOfShape", 0), ("Expand", 1), ("Loop", 0), ("OneHot", 1), ("Resize", 3)),
        *(("BlackmanWindow", 0), ("HammingWindow", 0), ("HannWindow", 0)),
    )
)


@dataclass(frozen=True, slots=True)
class ChosenValues:
    """The values of one input.

    Attributes:
        values: One value for each element, or one that fills the tensor.
        rule: What the values are, in words that hold for every shape of the input.
    """

    values: tuple[Number, ...]
    rule: str

    @property
    def text(self) -> str:
        """The values as a text without spaces; the rule when they are many."""
        return text_of(self.values) if len(self.values) <= _SHOWN else self.rule.replace(" ", "_")


_SHOWN = 4


def text_of(values: Sequence[Number]) -> str:
    """Return values as a user gives them."""
    return ",".join(str(int(x)) if isinstance(x, bool) else f"{x!r}" for x in values)


class ValueChooser:
    """A chooser of values for the inputs of one graph.

    Args:
        graph: The graph.
        inputs: Its inputs.
        shapes: The shape of each input.
    """

    def __init__(
        self, graph: "GraphProto", inputs: Sequence[DeclaredInput], shapes: Shapes
    ) -> None:
        from profilers.workload.subgraphs import all_nodes  # onnx is slow to import

        self._inputs = inputs
        self._shapes = shapes
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._uses: dict[str, list[tuple[NodeProto, int]]] = {}
        for node in all_nodes(graph):
            if node.op_type == "Constant":
                tensors = [x.t for x in node.attribute if x.name == "value"]
                self._weights |= dict(zip(node.output, tensors, strict=False))
            for place, name in enumerate(node.input):
                self._uses.setdefault(name, []).append((node, place))

    def choose(self, declared: DeclaredInput) -> ChosenValues:
        """Return values for an integer or boolean input."""
        shape, n_elements = self._shapes[declared.name], prod(self._shapes[declared.name])
        words = set(_words(declared.name))
        uses = list(self._uses_of(declared.name, set()))
        places = {(node.op_type, place) for node, place in uses}
        if declared.dtype == "bool":
            return self._truth(declared, words)
        if words & _MASKS:
            return ChosenValues((1,), "1, as it is a mask")
        if (words & _RATES or {"rate"} < words) and n_elements == 1:
            rates = self._compared(uses)
            rate = _SAMPLING_RATE if not rates or _SAMPLING_RATE in rates else max(rates)
            return ChosenValues((rate,), f"{rate}, as it is a sampling rate")
        n_rows = self._table_rows(uses)
        if words & _POSITIONS and n_elements and shape and not words & _LENGTHS:
            return _positions(shape, n_rows)
        if ("GroupQueryAttention", 5) in places:
            total = self._total_length()
            return ChosenValues((max(total - 1, 0),), "the length of all tokens less 1")
        is_length = bool(words & _LENGTHS or places & _LENGTH_USES)
        if ("GroupQueryAttention", 6) in places or (is_length and "total" in words):
            return ChosenValues((self._total_length(),), "the length of all tokens")
        if is_length:
            return self._length(declared, words, n_rows)
        if n_rows is not None and not words & _SEGMENTS and n_elements:
            return _spread(n_elements, n_rows)
        if constants := self._compared(uses):
            return ChosenValues((max(constants),), "what the graph compares it with")
        image = self._image() if words & {"size", "sizes", "shape"} and shape[-1:] == (2,) else None
        if image is not None:
            height, width = self._shapes[image][2:]
            pairs = (height, width) * (n_elements // 2)
            return ChosenValues(pairs, f"the height and width of {image}")
        if places & _ONE_USES or (words & _COUNTS and n_elements == 1):
            return ChosenValues((1,), "1, as it is a count or a divisor")
        return ChosenValues((0,), "0, as nothing tells what it means")

    def _truth(self, declared: DeclaredInput, words: set[str]) -> ChosenValues:
        if words & {"pad", "padding", "padded"} and words & _MASKS:
            return ChosenValues((False,), "false, as nothing is padding")
        if words & _MASKS:
            return ChosenValues((True,), "true, as it is a mask")
        past = [self._shapes[x.name] for x in self._inputs if "past" in _words(x.name)]
        if "cache" in words and past and all(0 in shape for shape in past):
            return ChosenValues((False,), "false, as the past is empty")
        return ChosenValues((True,), "true")

    def _length(self, declared: DeclaredInput, words: set[str], n_rows: int | None) -> ChosenValues:
        axis = self._axis_of(declared, words)
        if "min" in words:
            return ChosenValues((1,), "1, as it is a least length")
        if axis is None:
            return ChosenValues((1,), "1, as no axis of another input has a length")
        name, place = axis
        size = self._shapes[name][place]
        size = size if n_rows is None else min(size, n_rows - 1)
        return ChosenValues((size,), f"the size of axis {place} of {name}")

    def _axis_of(self, declared: DeclaredInput, words: set[str]) -> tuple[str, int] | None:
        """Return the input and the axis that a length speaks of."""
        topic = words - _LENGTHS - {"seq", "sequence"}
        ranked = []
        for order, other in enumerate(self._inputs):
            if other.name == declared.name or not self._shapes[other.name]:
                continue
            is_past = "past" in _words(other.name) or "cache" in _words(other.name)
            score = (
                len(topic & set(_words(other.name))),
                not (is_past and "past" not in topic),
                len(self._shapes[other.name]) >= 2,
                other.dtype.startswith("float"),
                -order,
            )
            ranked.append((score, other))
        if not ranked:
            return None
        _, best = max(ranked, key=lambda pair: pair[0])
        return best.name, _time_axis(best, self._shapes[best.name], is_past="past" in topic)

    def _image(self) -> str | None:
        """Return the first input with four axes; None without one."""
        return next((x.name for x in self._inputs if len(self._shapes[x.name]) == 4), None)

    def _total_length(self) -> int:
        """Return the number of tokens that attention sees: the new ones and the past ones."""
        new = past = 0
        for each in self._inputs:
            shape, words = self._shapes[each.name], _words(each.name)
            places = {(node.op_type, place) for node, place in self._uses_of(each.name, set())}
            is_past = "past" in words or bool(places & _PAST_USES)
            if is_past and len(shape) == 4:
                past = max(past, shape[2])
            elif len(shape) in (2, 3) and not new and not set(words) & (_MASKS | _LENGTHS):
                new = shape[1]
        return new + past

    def _table_rows(self, uses: Sequence[tuple["NodeProto", int]]) -> int | None:
        """Return the rows of the smallest table that is indexed; None when nothing is."""
        sizes = []
        for node, place in uses:
            if node.op_type == "Gather" and place == 1 and node.input[0] in self._weights:
                table = self._weights[node.input[0]]
                axis = next((x.i for x in node.attribute if x.name == "axis"), 0)
                sizes += [table.dims[axis]] if axis < len(table.dims) else []
            if node.op_type == "EmbedLayerNormalization" and place == 0 and len(node.input) > 2:
                table_of_words = self._weights.get(node.input[2])
                sizes += [table_of_words.dims[0]] if table_of_words is not None else []
        return min(sizes, default=None)

    def _compared(self, uses: Sequence[tuple["NodeProto", int]]) -> list[int]:
        """Return the integer constants that the graph compares an input with."""
        constants = []
        for node, place in uses:
            if node.op_type == "Equal" and len(node.input) == 2:
                constants += _integer(self._weights.get(node.input[1 - place]))
        return constants

    def _uses_of(self, name: str, seen: set[str]) -> Iterator[tuple["NodeProto", int]]:
        """Yield the nodes that take the elements of a value, with the place of the input."""
        if name in seen:
            return
        seen.add(name)
        for node, place in self._uses.get(name, ()):
            if node.op_type in _PASS_ON and place == 0:
                for output in node.output:
                    yield from self._uses_of(output, seen)
            else:
                yield node, place


def _positions(shape: tuple[int, ...], n_rows: int | None) -> ChosenValues:
    length = shape[-1]
    row = [place % n_rows if n_rows else place for place in range(length)]
    return ChosenValues(tuple(row * (prod(shape) // length)), "0 to n-1, as they are positions")


def _spread(n_elements: int, n_rows: int) -> ChosenValues:
    values = (
        tuple((1 + _STRIDE * place) % n_rows for place in range(n_elements)) if n_rows else (0,)
    )
    return ChosenValues(values, f"spread over 0 to {max(n_rows - 1, 0)}, the rows of its table")


def _time_axis(declared: DeclaredInput, shape: tuple[int, ...], *, is_past: bool) -> int:
    """Return the axis along which an input is long.

    It is told by a symbol, or it is the first open axis behind the batch. When all are fixed, it
    is the second one, and for sound, whose channels may come first, the longest.
    """
    rank = len(shape)
    dims = declared.dims or ("",) * rank
    pattern = re.compile("past", re.I) if is_past else _TIME_AXIS
    named = [axis for axis, dim in enumerate(dims) if isinstance(dim, str) and pattern.search(dim)]
    open_axes = [axis for axis, dim in enumerate(dims) if isinstance(dim, str) and axis > 0]
    if named or open_axes:
        return (named or open_axes)[0]
    if rank == 3 and _SOUND & set(_words(declared.name)):
        return 1 if shape[1] > shape[2] else 2
    return 1 if rank > 1 else 0


def _integer(tensor: "TensorProto | None") -> list[int]:
    """Return the value of a tensor with one integer; empty for any other."""
    from onnx import TensorProto, numpy_helper

    integers = (TensorProto.INT32, TensorProto.INT64)
    if tensor is None or tensor.data_type not in integers or prod(tensor.dims) != 1:
        return []
    if tensor.data_location == TensorProto.EXTERNAL:
        return []
    try:
        return [int(numpy_helper.to_array(tensor).ravel()[0])]
    except (ValueError, IndexError):  # it holds no data
        return []


def _words(name: str) -> list[str]:
    """Return the words of a name, in lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z]+", spaced.lower())


def sentence_about(chosen: Mapping[str, ChosenValues]) -> str:
    """Return one line for the user about the values that were chosen; empty when none was."""
    if not chosen:
        return ""
    parts = "; ".join(f"{name}={_shown(each)} ({each.rule})" for name, each in chosen.items())
    return f"Values of inputs were chosen: {parts}. --input NAME=VALUE gives others."


def _shown(chosen: ChosenValues) -> str:
    more = ",..." if len(chosen.values) > _SHOWN else ""
    return text_of(chosen.values[:_SHOWN]) + more
