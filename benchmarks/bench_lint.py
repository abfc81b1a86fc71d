"""Claim: on graphs with one node, the rules of `lint` for RTX agree with the parser of RTX.

    python benchmarks/bench_lint.py [--typed]

This needs the extra ``rtx``. The graphs are the node tests that the package onnx has. With
``--typed`` they are two of these for each operator, with each element type in place of the first
one's. The newest opset that is documented is left out, because the parser reads later ones too.
"""

import argparse
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnx import ModelProto
from onnx.backend.test.case.node import collect_testcases

from profilers.tensorrt.lint import lint_graph

_CHUNK = 200  # graphs of one process of the parser, which may crash
_TYPES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16)
_OTHER_INPUT = {"Where": 1, "OneHot": 2}  # the first input of their other types says nothing


def main() -> None:
    """Print how often both agree, and where they do not."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--typed", action="store_true")
    is_typed = arguments.parse_args().typed
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        files = []
        for name, model in typed() if is_typed else untyped():
            files.append(Path(folder) / f"{name}.onnx")
            onnx.save(model, files[-1])
        verdicts = {file: rules_take(file) for file in files}
        parsed = dict(parser_takes(files))
    agreed = Counter((verdicts[file], parsed[file]) for file in files)
    n = agreed[True, True] + agreed[False, False]
    print(f"{len(files)} graphs: {n} agree ({n / len(files):.1%})")
    print(f"refused by the rules alone: {agreed[False, True]}")
    print(f"refused by the parser alone: {agreed[True, False]}")
    for file in files:
        if verdicts[file] != parsed[file]:
            print(f"  {file.stem}: {'parser' if verdicts[file] else 'rules'} alone")


def untyped() -> Iterator[tuple[str, ModelProto]]:
    """Return the node tests of onnx."""
    return ((case.name, case.model) for case in collect_testcases(None))


def typed() -> Iterator[tuple[str, ModelProto]]:
    """Return two of the node tests of each operator, with each element type."""
    seen: Counter[str] = Counter()
    for _, model in untyped():
        node = model.graph.node[0]
        is_standard = onnx.defs.has(node.op_type) and len(model.graph.node) == 1
        if is_standard and node.input and seen[node.op_type] < 2:
            seen[node.op_type] += 1
            for number in _TYPES:
                yield f"{node.op_type}-{seen[node.op_type]}-{number}", with_type(model, number)


def with_type(model: ModelProto, number: int) -> ModelProto:
    """Return a graph in which the first input, and what must have its type, have another type."""
    changed = ModelProto()
    changed.CopyFrom(model)
    node = changed.graph.node[0]
    schema = onnx.defs.get_schema(node.op_type)
    place = min(_OTHER_INPUT.get(node.op_type, 0), len(schema.inputs) - 1)
    kind = schema.inputs[place].type_str
    alike = {
        name
        for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs))
        for name, formal in zip(names, [*formals, *[formals[-1]] * len(names)], strict=False)
        if formal.type_str == kind
    }
    for value in (*changed.graph.input, *changed.graph.output):
        if value.name in alike:
            value.type.tensor_type.elem_type = number
    return changed


def rules_take(file: Path) -> bool:
    """Return whether the rules refuse nothing besides the opset."""
    findings = lint_graph(file, "rtx")
    return not any(x.severity == "refusal" and "opset" not in x.reason for x in findings)


def parser_takes(files: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield each graph and whether the parser takes it. It does not take what it crashes on."""
    waiting = list(files)
    while waiting:
        chunk = waiting[:_CHUNK]
        try:
            with ProcessPoolExecutor(1) as pool:
                for file, is_parsed in zip(chunk, pool.map(_is_parsed, chunk), strict=True):
                    yield file, is_parsed
                    waiting.remove(file)
        except BrokenProcessPool:
            yield waiting.pop(0), False


def _is_parsed(file: Path) -> bool:
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    network = trt.Builder(logger).create_network(0)
    return bool(trt.OnnxParser(network, logger).parse_from_file(str(file)))


if __name__ == "__main__":
    main()
