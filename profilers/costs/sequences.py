"""This module follows tensors through sequences and optional values."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from profilers.costs.values import UNKNOWN, ShapedNode, UnknownCostError, Value

_MOST_ITEMS = 1 << 16


def outputs_by_sequence(node: ShapedNode) -> list[Value] | None:
    """Return the output of an operator on sequences or optional values; None for any other.

    Raises:
        UnknownCostError: What the sequence holds, or a position in it, is unknown.
    """
    rule = _RULES.get(node.op)
    first = node.inputs[0] if node.inputs else None
    if node.op == "Identity" and first is not None and first.items is not None:
        return [first]
    if rule is None:
        return None
    try:
        return [rule(node)]
    except (IndexError, TypeError, ValueError) as error:
        if isinstance(error, UnknownCostError):
            raise
        raise UnknownCostError("its inputs or attributes do not fit the operator") from None


def _items(node: ShapedNode) -> list[Value]:
    value = node.inputs[0]
    if value is None or value.items is None:
        raise UnknownCostError("what its sequence holds is unknown")
    return list(value.items)


def _sequence(items: list[Value]) -> Value:
    return Value(0, None, items=tuple(items))


def _position(node: ShapedNode, place: int) -> int | None:
    """Return the position in an input; None when it is computed from data."""
    value = node.inputs[place]
    return None if value is None or value.content is None else int(value.content.ravel()[0])


def _inserted(node: ShapedNode) -> Value:
    items = _items(node)
    position = _position(node, 2) if node.has_input(2) else len(items)
    if position is None:
        raise UnknownCostError("the position is computed from data")
    items.insert(position, node.inputs[1] or UNKNOWN)
    return _sequence(items)


def _erased(node: ShapedNode) -> Value:
    items = _items(node)
    position = _position(node, 1) if node.has_input(1) else -1
    if position is None:
        raise UnknownCostError("the position is computed from data")
    del items[position]
    return _sequence(items)


def _at(node: ShapedNode) -> Value:
    items, position = _items(node), _position(node, 1)
    if position is not None:
        return items[position]
    if len({(item.elem_type, item.shape) for item in items}) != 1:
        raise UnknownCostError("the position is computed from data, and the tensors differ")
    return replace(items[0], content=None)


def _split(node: ShapedNode) -> Value:
    shape, axis = list(node.in_shape(0)), int(node.attribute("axis", 0))
    size, given = shape[axis], node.inputs[1] if node.has_input(1) else None
    content = None if given is None else given.content
    if given is not None and content is None:
        raise UnknownCostError("the sizes of the split are computed from data")
    if content is not None and content.ndim:
        sizes = content.tolist()
    else:
        step = 1 if content is None else int(content)
        starts = range(0, size, step)
        if len(starts) > _MOST_ITEMS:
            raise UnknownCostError(f"{len(starts)} tensors in a sequence are too many to follow")
        sizes = [min(step, size - start) for start in starts]
    items = []
    for each in sizes:
        shape[axis] = each
        kept = [n for i, n in enumerate(shape) if i != axis % len(shape)]
        is_kept = given is not None or node.attribute("keepdims", 1)
        elem_type = node.inputs[0].elem_type if node.inputs[0] else 0
        items.append(Value(elem_type, tuple(shape if is_kept else kept)))
    return _sequence(items)


def _concatenated(node: ShapedNode) -> Value:
    items, axis = _items(node), int(node.attribute("axis"))
    if not items or any(item.shape is None for item in items):
        raise UnknownCostError("what its sequence holds is unknown")
    shapes = [item.shape for item in items if item.shape is not None]
    shape = list(shapes[0])
    if node.attribute("new_axis", 0):
        shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, len(items))
    else:
        shape[axis] = sum(each[axis] for each in shapes)
    return Value(items[0].elem_type, tuple(shape))


def _element(node: ShapedNode) -> Value:
    value = node.inputs[0]
    if value is not None and value.items is None and value.elem_type:
        return value  # a tensor is an optional value that is there
    return _items(node)[0]


def _has_element(node: ShapedNode) -> Value:
    value = node.inputs[0] if node.has_input(0) else None
    is_there = value is not None and (value.items is None or bool(value.items))
    return Value.of(np.asarray(is_there))


_RULES: dict[str, Callable[[ShapedNode], Value]] = {
    "SequenceEmpty": lambda node: _sequence([]),
    "SequenceConstruct": lambda node: _sequence([value or UNKNOWN for value in node.inputs]),
    "SequenceInsert": _inserted,
    "SequenceErase": _erased,
    "SequenceAt": _at,
    "SequenceLength": lambda node: Value.of(np.asarray(len(_items(node)))),
    "SplitToSequence": _split,
    "ConcatFromSequence": _concatenated,
    "Optional": lambda node: _sequence([value for value in node.inputs if value]),
    "OptionalGetElement": _element,
    "OptionalHasElement": _has_element,
}
