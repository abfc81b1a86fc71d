"""This module chooses the values of integer and boolean inputs that a user does not give.

A value is chosen by the name of the input and by what the graph does with it: a length is the size
of the axis that it speaks of, a mask is 1, an index lies within its table. Every choice comes with
the words that tell the user and the log what was chosen. Numbers of floating point are chosen only
where they decide a shape, such as the scales of a Resize.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from profilers.workload.declared_inputs import DeclaredInput, Shapes

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import GraphProto

    from profilers.workload.input_uses import Use

Number = int | float | bool

_LENGTHS = frozenset(
    {"len", "lens", "length", "lengths", "seqlen", "seqlens", "lenghts", "frames", "ilens", "olens"}
)
_GLUED = re.compile(r"(\w+?)(lens?|lengths?|masks?)")  # of xlens, textlengths, srcmask
_COUNTS = frozenset({"num", "n", "number", "count"})
_MASKS = frozenset({"mask", "masks", "msk"})
_POSITIONS = frozenset({"position", "positions", "pos", "posids"})
_RATES = frozenset({"sr", "fs", "samplerate", "samplingrate"})
_SEGMENTS = frozenset({"type", "segment", "segments", "speaker", "language", "lang", "sid", "lid"})
_TIME_AXIS = re.compile(r"^t$|^l$|^s$|len|seq|time|frame|token|step|width|samples", re.I)
_SOUND = frozenset({"audio", "feats", "features", "fbank", "mel", "spec", "spectrogram"})
_SAMPLING_RATE = 16000
_STRIDE = 7919  # a prime, so that chosen indices are spread over a table
# What an input must be where an operator takes it at this place, whatever its name is.
_LENGTH_USES = frozenset(
    (
        *(("Slice", 2), ("Range", 1), ("LSTM", 4), ("GRU", 4), ("RNN", 4)),
        *(("ReverseSequence", 1), ("TensorScatter", 2)),
    )
)
_PAST_USES = frozenset({("GroupQueryAttention", 3), ("GroupQueryAttention", 4)})
_ONE_USES = frozenset(
    (
        *(("Div", 1), ("Mod", 1), ("TopK", 1), ("Tile", 1), ("Slice", 4), ("Range", 2)),
        *(("ConstantOfShape", 0), ("Expand", 1), ("Loop", 0), ("OneHot", 1), ("Resize", 3)),
        *(("BlackmanWindow", 0), ("HammingWindow", 0), ("HannWindow", 0)),
    )
)
_SCALE_USES = frozenset({("Resize", 2), ("Upsample", 1)})
_FLOATS_THAT_DECIDE = _SCALE_USES | {("Range", place) for place in range(3)}
_SHOWN = 4
_MOST_SPREAD = 1 << 24  # elements of an input; more are all the same


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


def text_of(values: Sequence[Number]) -> str:
    """Return values as a user gives them."""
    return ",".join(str(int(x)) if isinstance(x, bool) else f"{x!r}" for x in values)


def sentence_about(chosen: Mapping[str, ChosenValues]) -> str:
    """Return one line for the user about the values that were chosen; empty when none was."""
    parts = []
    for name, each in chosen.items():
        more = ",..." if len(each.values) > _SHOWN else ""
        parts.append(f"{name}={text_of(each.values[:_SHOWN])}{more} ({each.rule})")
    listed = "; ".join(parts)
    return listed and f"Values of inputs were chosen: {listed}. --input NAME=VALUE gives others."


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
        from profilers.workload.input_uses import InputUses  # onnx is slow to import

        self._inputs = inputs
        self._shapes = shapes
        self._uses = InputUses(graph)

    def choose(self, declared: DeclaredInput) -> ChosenValues | None:
        """Return values for an input; None for numbers of floating point that decide no shape."""
        words, shape = _words(declared.name), self._shapes[declared.name]
        uses, n_elements = self._uses.of(declared.name), prod(shape)
        places = {use.key for use in uses}
        if declared.dtype == "bool":
            return self._truth(words)
        if declared.dtype.startswith("float") and not places & _FLOATS_THAT_DECIDE:
            return None
        if places & _SCALE_USES:
            return ChosenValues((1,), "1, as it is a scale")
        if words & _MASKS:
            return ChosenValues((1,), "1, as it is a mask")
        compared = self._uses.compared_with(uses)
        if (words & _RATES or {"rate"} < words) and n_elements == 1:
            rates = compared or [_SAMPLING_RATE]
            rate = _SAMPLING_RATE if _SAMPLING_RATE in rates else max(rates)
            return ChosenValues((rate,), f"{rate}, as it is a sampling rate")
        is_spread = 0 < n_elements <= _MOST_SPREAD
        n_rows, is_length = self._uses.table_rows(uses), words & _LENGTHS or places & _LENGTH_USES
        if words & _POSITIONS and is_spread and shape and not words & _LENGTHS:
            row = [place % n_rows if n_rows else place for place in range(shape[-1])]
            return ChosenValues(tuple(row) * prod(shape[:-1]), "0 to n-1, as they are positions")
        if ("GroupQueryAttention", 5) in places:
            before_last = max(self._total_length() - 1, 0)
            return ChosenValues((before_last,), "the length of all tokens less 1")
        if ("GroupQueryAttention", 6) in places or (is_length and "total" in words):
            return ChosenValues((self._total_length(),), "the length of all tokens")
        if is_length and (steps := self._steps(uses)) is not None:
            return steps
        if is_length:
            return self._length(declared, words, n_rows)
        if n_rows is not None and not words & _SEGMENTS and is_spread:
            spread = [(1 + _STRIDE * i) % n_rows if n_rows else 0 for i in range(n_elements)]
            rule = f"spread over 0 to {max(n_rows - 1, 0)}, the rows of its table"
            return ChosenValues(tuple(spread if n_rows else (0,)), rule)
        if compared:
            return ChosenValues((max(compared),), "what the graph compares it with")
        if (size := self._size_of_image(words, shape, uses)) is not None:
            return size
        if places & _ONE_USES or (words & _COUNTS and n_elements == 1):
            return ChosenValues((1,), "1, as it is a count or a divisor")
        why = "nothing tells what it means" if n_elements <= _MOST_SPREAD else "they are too many"
        return ChosenValues((0,), f"0, as {why}")

    def _truth(self, words: frozenset[str]) -> ChosenValues:
        if words & _MASKS:
            if words & {"pad", "padding", "padded"}:
                return ChosenValues((False,), "false, as nothing is padding")
            return ChosenValues((True,), "true, as it is a mask")
        past = [self._shapes[x.name] for x in self._inputs if "past" in _words(x.name)]
        if "cache" in words and past and all(0 in shape for shape in past):
            return ChosenValues((False,), "false, as the past is empty")
        return ChosenValues((True,), "true")

    def _steps(self, uses: "Sequence[Use]") -> ChosenValues | None:
        """Return the steps of an input that is read step by step; None without one."""
        for use in uses:
            name, axis = use.node.input[0], use.time_axis
            shape = self._shapes.get(name, ())
            if axis is not None and axis < len(shape):
                return ChosenValues((shape[axis],), f"the size of axis {axis} of {name}")
        return None

    def _length(
        self, declared: DeclaredInput, words: frozenset[str], n_rows: int | None
    ) -> ChosenValues:
        if "min" in words:
            return ChosenValues((1,), "1, as it is a least length")
        others = [x for x in self._inputs if x != declared and self._shapes[x.name]]
        if not others:
            return ChosenValues((1,), "1, as no axis of another input has a length")
        topic = words - _LENGTHS - {"seq", "sequence"}
        best = max(others, key=lambda other: self._suits(other, topic))
        shape = self._shapes[best.name]
        axis = _time_axis(best, shape, is_past="past" in topic)
        size = shape[axis] if n_rows is None else min(shape[axis], n_rows - 1)
        return ChosenValues((size,), f"the size of axis {axis} of {best.name}")

    def _suits(self, other: DeclaredInput, topic: frozenset[str]) -> tuple[int, bool, bool, bool]:
        """Return how well an input suits a length that speaks of a topic; the greatest is best."""
        words = _words(other.name)
        is_asked = "past" in topic or not words & {"past", "cache"}
        is_float = other.dtype.startswith("float")
        return len(topic & words), is_asked, len(self._shapes[other.name]) >= 2, is_float

    def _size_of_image(
        self, words: frozenset[str], shape: tuple[int, ...], uses: "Sequence[Use]"
    ) -> ChosenValues | None:
        """Return the sizes of an image, for an input that gives them; otherwise None."""
        for use in uses:
            of = self._shapes.get(use.node.input[0], ())
            if use.key == ("Resize", 3) and len(of) == prod(shape):
                return ChosenValues(of, f"the shape of {use.node.input[0]}")
        images = [x.name for x in self._inputs if len(self._shapes[x.name]) == 4]
        if not images or not words & {"size", "sizes", "shape"} or shape[-1:] != (2,):
            return None
        pairs = self._shapes[images[0]][2:] * (prod(shape) // 2)
        return ChosenValues(pairs, f"the height and width of {images[0]}")

    def _total_length(self) -> int:
        """Return the number of tokens that attention sees: the new ones and the past ones."""
        new = past = 0
        for each in self._inputs:
            shape, words = self._shapes[each.name], _words(each.name)
            is_past = "past" in words or {x.key for x in self._uses.of(each.name)} & _PAST_USES
            if is_past and len(shape) == 4:
                past = max(past, shape[2])
            elif len(shape) in (2, 3) and not new and not words & (_MASKS | _LENGTHS):
                new = shape[1]
        return new + past


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
    if rank == 3 and _SOUND & _words(declared.name):
        return 1 if shape[1] > shape[2] else 2
    return 1 if rank > 1 else 0


def _words(name: str) -> frozenset[str]:
    """Return the words of a name, in lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.findall(r"[a-z]+", spaced.lower())
    parts = [part for word in words if (glued := _GLUED.fullmatch(word)) for part in glued.groups()]
    return frozenset([*words, *parts])
