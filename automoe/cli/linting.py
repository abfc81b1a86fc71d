"""Carry out ``automoe lint``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from automoe.cli.console import print_json, print_table, say
from automoe.cli.exits import ExitCode
from automoe.cli.options import JsonOptions, argument

if TYPE_CHECKING:
    from profilers.tensorrt.lint import LintFinding
    from profilers.tensorrt.rtx_parser import ParserVerdict


class LintOptions(JsonOptions):
    """The dialects that a graph is checked for.

    Attributes:
        dialect: Dialect of TensorRT: 8.5, 8.6, 10, 11 or rtx; default: all.
    """

    dialect: tuple[str, ...] = ()


def lint(
    model: Annotated[Path, argument("An ONNX file.")],
    /,
    *,
    options: LintOptions = LintOptions(),
) -> ExitCode:
    """Check whether TensorRT accepts a graph, and say why not; exit 4 when a dialect refuses it."""
    from profilers.tensorrt.dialects import DIALECTS
    from profilers.tensorrt.lint import lint_dialects
    from profilers.tensorrt.rtx_parser import missing_parser, parser_verdict
    from profilers.workload.from_onnx import load_onnx
    from profilers.workload.soundness import require_outputs, require_sound

    graph = load_onnx(model)
    require_sound(graph, model)
    require_outputs(graph, model)
    asked = list(dict.fromkeys(options.dialect or DIALECTS))
    findings_of = lint_dialects(model, asked, graph)
    verdict = None
    if "rtx" in findings_of:
        if (reason := missing_parser()) is not None:
            say(f"The parser of TensorRT for RTX was not asked: {reason}.")
        else:
            try:
                verdict = parser_verdict(model)
            except RuntimeError as error:  # it died or hung, and the rules decide
                say(f"The parser of TensorRT for RTX gave no verdict: {error}")
    taken = {name: _is_taken(name, findings, verdict) for name, findings in findings_of.items()}
    if options.as_json:
        print_json(
            {
                "model": str(model),
                "dialects": {
                    name: {
                        "is_taken": taken[name],
                        "findings": [asdict(finding) for finding in findings],
                    }
                    for name, findings in findings_of.items()
                },
                "rtx_parser": asdict(verdict) if verdict else None,
            }
        )
    else:
        _show(findings_of, taken, verdict)
    return ExitCode.OK if all(taken.values()) else ExitCode.QUALITY


def _is_taken(
    dialect: str, findings: "tuple[LintFinding, ...]", verdict: "ParserVerdict | None"
) -> bool:
    """Return whether a dialect accepts the graph. The verdict of its own parser counts first."""
    if dialect == "rtx" and verdict is not None:
        return verdict.is_parsed
    return all(finding.severity != "refusal" for finding in findings)


def _show(
    findings_of: "dict[str, tuple[LintFinding, ...]]",
    taken: dict[str, bool],
    verdict: "ParserVerdict | None",
) -> None:
    rows = [
        (name, finding.severity, finding.node or "graph", finding.operator, finding.reason)
        for name, findings in findings_of.items()
        for finding in findings
    ]
    if verdict is not None:
        parser = f"rtx {verdict.version}"
        rows += [(parser, "refusal", x.node, x.operator, x.reason) for x in verdict.refusals]
    if rows:
        print_table(("dialect", "severity", "node", "operator", "reason"), rows)
    for name, is_taken in taken.items():
        asked = " (its parser was asked)" if name == "rtx" and verdict is not None else ""
        print(f"TensorRT {name}: {'taken' if is_taken else 'refused'}{asked}")
