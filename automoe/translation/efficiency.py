"""This module measures how efficiently a model translates, as the WMT efficiency task does.

Sentences are translated one by one, and then together. Beside that the sentence is timed whose
latency a search measured, so that the difference between the two figures is explained.

Legend: R hypotheses of all sentences, N best tokens of each.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryFile
from time import perf_counter
from typing import Any

import numpy as np

from automoe.architecture.translation_workload import TranslationWorkload, WorkloadTextError
from automoe.deployed.beam_search import EOS, BeamSearch
from automoe.deployed.description import PROGRAM
from automoe.deployed.translator import Translator
from automoe.text.special_tokens import UNK

OnProgress = Callable[[int, int], None]

_SAME_RUNS = 15  # of the sentence that a search measured
_N_COUNTED, _N_PEAK = 200, 50  # sentences whose routing is counted, and whose memory is
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Efficiency:
    """How efficiently a model translates a text on this machine.

    Attributes:
        n_sentences: The number of sentences with words.
        ms_per_sentence: The mean time of a sentence that is translated alone.
        median_ms: The median of these times.
        sentences_per_second: Of sentences that are translated together.
        graphs_share: The share of the time alone that the graphs take; the rest is the search
            for the best translation.
        source_tokens: The mean number of source tokens, EOS included.
        target_tokens: The mean number of target tokens.
        model_mb: The megabytes of the bundle's files.
        peak_memory_mb: The most memory that the bundle's own program had.
        load: The share of the tokens of 200 sentences that each expert served, by sparse layer.
        searched: What the search measured, or None: its workload, latency and device.
        same_sentence_ms: The median time of that workload's sentence here. It is None when there
            is none, or when the bundle cannot translate it.
        same_sentence_graphs_ms: The part of it that the graphs take, or None.
    """

    n_sentences: int
    ms_per_sentence: float
    median_ms: float
    sentences_per_second: float
    graphs_share: float
    source_tokens: float
    target_tokens: float
    model_mb: float
    peak_memory_mb: float
    load: dict[str, list[float]]
    searched: dict[str, Any] | None
    same_sentence_ms: float | None
    same_sentence_graphs_ms: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON types."""
        return asdict(self)


def efficiency(
    translator: Translator,
    folder: Path,
    sentences: Sequence[str],
    *,
    batch_tokens: int,
    threads: int,
    on_progress: OnProgress | None = None,
) -> Efficiency:
    """Translate sentences one by one and together, on as many cores as threads.

    Args:
        translator: The translator.
        folder: The folder of its bundle.
        sentences: The sentences.
        batch_tokens: The most source tokens that are translated together.
        threads: The threads of the translator.
        on_progress: A function that is called with the number of sentences done and of all, each
            of which is translated twice.

    Raises:
        ValueError: No sentence has words.
    """
    said = on_progress or (lambda done, total: None)
    n = len(sentences)
    peak_memory_mb = _peak_memory_mb(folder, sentences[:_N_PEAK], translator.search)
    with _cores(threads):
        load = _load(translator, sentences[:_N_COUNTED], batch_tokens=batch_tokens)
        before_s = translator.graphs.runtime_s
        alone = translator.translate_all(
            sentences, on_progress=lambda done, total: said(done, 2 * total)
        )
        graphs_s = translator.graphs.runtime_s - before_s
        timed = [translation for translation in alone if translation.source_tokens]
        if not timed:
            raise ValueError("The text must have a sentence with words. Got none; give another.")
        start = perf_counter()
        translator.translate_all(
            sentences,
            batch_tokens=batch_tokens,
            on_progress=lambda done, total: said(n + done, 2 * total),
        )
        together_s = perf_counter() - start
        searched = translator.description.searched
        same = None if searched is None else sentence_ms(translator, searched["workload"])
    times_ms = [translation.latency_ms for translation in timed]
    return Efficiency(
        n_sentences=len(timed),
        ms_per_sentence=fmean(times_ms),
        median_ms=median(times_ms),
        sentences_per_second=len(timed) / together_s,
        graphs_share=1000 * graphs_s / sum(times_ms),
        source_tokens=fmean(translation.source_tokens for translation in timed),
        target_tokens=fmean(translation.target_tokens for translation in timed),
        model_mb=sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / _MB,
        peak_memory_mb=peak_memory_mb,
        load=load,
        searched=searched,
        same_sentence_ms=None if same is None else same[0],
        same_sentence_graphs_ms=None if same is None else same[1],
    )


@contextmanager
def _cores(n: int) -> Iterator[None]:
    """Keep all threads of this process on the first cores that it may use."""
    before = os.sched_getaffinity(0)
    _place(set(sorted(before)[:n]))
    try:
        yield
    finally:
        _place(before)


def _place(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)


def _peak_memory_mb(folder: Path, sentences: Sequence[str], search: BeamSearch) -> float:
    """Return the most memory of the bundle's program while it translates sentences one by one.

    Raises:
        ValueError: The program does not run.
    """
    options = ("--beam", str(search.beam), "--length-penalty", str(search.length_penalty))
    command = [sys.executable, str(folder / PROGRAM), *options, "--batch-tokens", "1"]
    with TemporaryFile() as text, TemporaryFile() as errors:
        text.write("\n".join(" ".join(sentence.split()) for sentence in sentences).encode())
        text.seek(0)
        program = subprocess.Popen(command, stdin=text, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode:
            errors.seek(0)
            reason = " ".join(errors.read().decode(errors="replace").split())
            raise ValueError(f"'{folder / PROGRAM}' does not run: {reason:.200}")
    return usage.ru_maxrss * 1024 / _MB


def _load(
    translator: Translator, sentences: Sequence[str], *, batch_tokens: int
) -> dict[str, list[float]]:
    """Return the share of the tokens that each expert serves, by sparse layer."""
    translator.graphs.tokens_of_experts = {}
    translator.translate_all(sentences, batch_tokens=batch_tokens)
    counted, translator.graphs.tokens_of_experts = translator.graphs.tokens_of_experts, None
    architecture = translator.description.content["config"]["architecture"]
    load = {}
    for name, total in counted.items():
        stack, _, layer = name.partition(".expert_")
        experts = architecture[stack]["layers"][int(layer)]["experts"]
        shares = (total / max(total.sum(), 1)).tolist()
        load[name] = shares + [0.0] * (len(experts) - len(shares))
    return load


def sentence_ms(translator: Translator, text: str) -> tuple[float, float] | None:
    """Translate the sentence of a workload, as a search measures it, several times.

    Args:
        translator: The translator.
        text: The workload, such as ``src=20 tgt=20 beam=1``.

    Returns:
        The median time in milliseconds, and the part of it that the graphs take; None when the
        bundle cannot translate the sentence.
    """
    try:
        workload = TranslationWorkload.parse(text)
    except WorkloadTextError:
        return None
    is_long = workload.src_len > translator.description.max_positions
    if is_long or (workload.batch > 1 and not translator.graphs.takes_several):
        return None
    n_pieces = translator.description.vocab_size
    ordinary = np.random.default_rng(0).integers(UNK + 1, n_pieces, workload.src_len)
    sentences = [ordinary.tolist()] * workload.batch
    search = BeamSearch(workload.beam, translator.search.length_penalty)
    longest = [min(workload.tgt_len, translator.description.max_positions)] * workload.batch
    times_ms, graphs_ms = [], []
    for _ in range(1 + _SAME_RUNS):
        start, before_s = perf_counter(), translator.graphs.runtime_s
        search.best(_Endless(translator.graphs.begin(sentences)), max_tokens=longest)
        times_ms.append(1000 * (perf_counter() - start))
        graphs_ms.append(1000 * (translator.graphs.runtime_s - before_s))
    return median(times_ms[1:]), median(graphs_ms[1:])


class _Endless:
    """A step after which no sentence ends, as in the sentence that is timed."""

    def __init__(self, step: Any) -> None:
        self._step = step

    def __call__(self, token_R: Any, parent_R: Any, kept_B: Any, n_best: int) -> tuple[Any, Any]:
        """See `automoe.deployed.beam_search.Step`."""
        best_RN, token_RN = self._step(token_R, parent_R, kept_B, n_best + 1)
        return np.where(token_RN == EOS, -np.inf, best_RN), token_RN
