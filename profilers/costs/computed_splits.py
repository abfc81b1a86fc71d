"""This module gives shapes to a Split whose sizes the graph computes from data.

The tokens of each expert are cut so. The caller says how many rows each output has.
"""

from collections.abc import Callable

from onnx import NodeProto

from profilers.costs.values import ShapedNode, Value

# A function that takes a Split, the number of its outputs and the number of all rows, and returns
# the rows of each output.
SegmentRows = Callable[[NodeProto, int, int], tuple[int, ...]]


def is_computed_split(node: ShapedNode) -> bool:
    """Return whether this is a Split whose sizes depend on data."""
    if node.op != "Split" or len(node.inputs) < 2:
        return False
    rows, sizes = node.inputs[:2]
    is_cut = rows is not None and rows.shape is not None
    return is_cut and sizes is not None and sizes.content is None


def split_by(node: ShapedNode, segment_rows: SegmentRows) -> ShapedNode:
    """Return such a Split with the shapes of its outputs, which have the rows of each segment."""
    shape = node.in_shape(0)
    axis = int(node.attribute("axis", 0)) % len(shape)
    rows = segment_rows(node.proto, len(node.proto.output), shape[axis])
    elem_type = node.inputs[0].elem_type if node.inputs[0] else 0
    outputs = [
        Value(elem_type, (*shape[:axis], n, *shape[axis + 1 :]), is_assumed=True) for n in rows
    ]
    return ShapedNode(node.proto, node.inputs, tuple(outputs))
