"""This module writes the graph that takes the candidates' rows out of the vocabulary projection.

It runs once for the sentences that are translated together, and the decoder multiplies with what it
returns in every step.

Legend: V vocabulary, C candidates, R hypotheses, D decoder width.
"""

from onnx import TensorProto

from automoe.export.graph import Dimension, GraphBuilder
from automoe.export.weights import WeightSource
from automoe.supernet import TransformerConfig

TABLE = "target_embedding.decoder"
WEIGHTS, STEPS = "candidate_weights", "candidate_steps"
PRECISIONS = ("fp32", "int8")


def shortlist_graph(config: TransformerConfig, weights: WeightSource) -> GraphBuilder:
    """Build the graph for ONNX Runtime.

    The input is ``candidates`` ``[C]``. The output is ``candidate_weights`` ``[C, D]``; with int8
    it is ``[D, C]``, with ``candidate_steps`` ``[C]`` beside it.
    """
    graph = GraphBuilder("shortlist", weights)
    candidate_C = graph.input("candidates", TensorProto.INT64, ["candidates"])
    shape = config.vocab_size, config.architecture.decoder.embed_dim
    if graph.precision != "int8":
        rows_CD = graph.op("Gather", graph.weight(TABLE, *shape), candidate_C, axis=0)
        graph.output(rows_CD, WEIGHTS, graph.float_type, ["candidates", shape[1]])
        return graph
    integer_DV, step_V = graph.integer_weight(TABLE, shape)
    # Taking rows is many times as fast as taking columns. The table is turned when it is loaded.
    integer_VD = graph.transpose(integer_DV, 1, 0)
    row_CD = graph.op("Gather", integer_VD, candidate_C, axis=0)
    graph.output(graph.transpose(row_CD, 1, 0), WEIGHTS, TensorProto.INT8, [shape[1], "candidates"])
    step_C = graph.op("Gather", step_V, candidate_C, axis=0)
    graph.output(step_C, STEPS, TensorProto.FLOAT, ["candidates"])
    return graph


def product_of_candidates(graph: GraphBuilder, x_RD: str, dim: int) -> str:
    """Return the logits of the candidates, ``[R, C]``, from inputs that `shortlist_graph` gives."""
    if graph.precision != "int8":
        rows: list[Dimension] = ["candidates", dim]
        weight_CD = graph.input(WEIGHTS, graph.float_type, rows)
        return graph.op("Gemm", x_RD, weight_CD, transB=1)
    columns: list[Dimension] = [dim, "candidates"]
    weight_DC = graph.input(WEIGHTS, TensorProto.INT8, columns)
    return graph.product_of_integers(
        x_RD, weight_DC, graph.input(STEPS, TensorProto.FLOAT, ["candidates"])
    )
