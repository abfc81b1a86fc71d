"""Carry out ``automoe benchmark``."""

from typing import TYPE_CHECKING

from automoe.cli.console import print_fields, print_json, progress_bar
from automoe.cli.options import JsonOptions
from automoe.cli.text_options import TextOptions, chosen_text
from automoe.cli.translating import Model, TranslatorOptions
from automoe.settings.search import Count
from devices.rounding import counted

if TYPE_CHECKING:
    from automoe.translation.efficiency import Efficiency


class BenchmarkOptions(TextOptions, TranslatorOptions, JsonOptions):
    """The sentences that are translated, and how many of them together.

    Attributes:
        sentences: Number of the first sentences of the test split.
        batch_tokens: Most source tokens, with padding, that are translated together.
    """

    sentences: Count = 500
    batch_tokens: Count = 2048


def benchmark(model: Model, /, *, options: BenchmarkOptions = BenchmarkOptions()) -> None:
    """Time a model alone and in batches, and compare it with what the search measured."""
    translator = options.open(model)
    # ONNX Runtime takes a moment to import
    from automoe.deployed.translator import bundle_folder
    from automoe.translation.efficiency import efficiency

    text = chosen_text(model, options).split("test")
    with progress_bar("Benchmark") as on_progress:
        measured = efficiency(
            translator,
            bundle_folder(model),
            text.source[: options.sentences],
            batch_tokens=options.batch_tokens,
            threads=options.threads,
            on_progress=on_progress,
        )
    if options.as_json:
        print_json(
            {"architecture_id": translator.description.architecture_id, **measured.to_dict()}
        )
        return
    print_fields(_fields(measured))
    for line in explained(measured):
        print(line)


def _fields(measured: "Efficiency") -> dict[str, object]:
    return {
        "sentences": measured.n_sentences,
        "alone": f"{measured.ms_per_sentence:.2f} ms a sentence, {measured.median_ms:.2f} ms in "
        "the median",
        "together": f"{measured.sentences_per_second:.1f} sentences a second",
        "source and target tokens": f"{measured.source_tokens:.1f} and "
        f"{measured.target_tokens:.1f} a sentence",
        "model": f"{measured.model_mb:.1f} MB",
        "peak memory": f"{measured.peak_memory_mb:.0f} MB",
    }


def explained(measured: "Efficiency") -> list[str]:
    """Return why the time of a sentence is not the latency that the search measured."""
    lines = [
        f"Of the time alone, {100 * measured.graphs_share:.0f} % is that of the graphs, which is "
        "what a search measures; the rest chooses the best translation."
    ]
    if measured.load:
        busiest = {name: max(shares) for name, shares in measured.load.items()}
        shown = ", ".join(f"{name} {100 * share:.0f} %" for name, share in busiest.items())
        lines.append(f"The busiest expert of each sparse layer served: {shown} of the tokens.")
    searched = measured.searched
    if searched is None:
        lines.append("The bundle does not know what a search measured: export its result.")
        return lines
    if measured.same_sentence_ms is None:
        lines.append(f"The bundle cannot translate the search's '{searched['workload']}'.")
        return lines
    latency = searched["latency_ms"]
    then = latency.get("measured") or latency.get("predicted", 0.0)
    how = "measured" if latency.get("measured") else "predicted"
    device = searched["device"]
    here, of_graphs = measured.same_sentence_ms, measured.same_sentence_graphs_ms
    threads, name = searched.get("threads"), device.get("model") or device.get("name")
    with_threads = f" with {counted(int(threads), 'thread')}" if threads else ""
    lines.append(
        f"The search {how} {then:.2f} ms on {name}{with_threads} for '{searched['workload']}'. "
        f"Here that sentence takes {here:.2f} ms, of which the graphs take {of_graphs:.2f} ms, "
        "with the routing that the model learned and with hypotheses that change their order."
    )
    return lines
