"""This module knows the tables that other programs write: by which columns, and what they hold."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from profilers.log.google_benchmark import COLUMNS as OF_GOOGLE_BENCHMARK


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table of another program.

    Attributes:
        program: The program that writes it.
        columns: The columns by which it is known, in lower case.
        targets: The columns that are its latency, the preferred one first, in lower case.
        unit: The unit of its times when their names tell none.
        times: A pattern for the columns that hold times, in lower case.
        others: A pattern for its columns that are no time and no feature either, in lower case.
        inputs: A pattern for the columns that are its features when there are any; empty when
            all columns may be.
    """

    program: str
    columns: frozenset[str]
    targets: tuple[str, ...]
    unit: str
    times: str
    others: str = r"(?!)"
    inputs: str = ""

    def target_in(
        self, columns: Collection[str], is_possible: Callable[[str], bool] = lambda _: True
    ) -> str | None:
        """Return the column of a table that is its latency; None when it has none.

        Args:
            columns: All columns of the table.
            is_possible: Whether a column may be a latency by its values. When none may be, the
                preferred one is returned.
        """
        by_name = {name.lower(): name for name in columns}
        named = [by_name[name] for name in self.targets if name in by_name]
        return next((name for name in named if is_possible(name)), next(iter(named), None))

    def holds_time(self, column: str) -> bool:
        """Return whether a column of this table holds times."""
        return re.fullmatch(self.times, column.lower()) is not None

    def may_be_feature(self, column: str, columns: Collection[str]) -> bool:
        """Return whether a column of this table is known before the measurement.

        Args:
            column: The column.
            columns: All columns of the table.
        """
        if self.inputs and any(re.fullmatch(self.inputs, name.lower()) for name in columns):
            return re.fullmatch(self.inputs, column.lower()) is not None
        return not re.fullmatch(f"{self.times}|{self.others}", column.lower())


HYPERFINE: Final = "hyperfine"
NANOBENCH: Final = "nanobench"
KNOWN_TABLES: Final = (
    KnownTable(
        HYPERFINE,
        frozenset({"command", "mean", "stddev", "user", "system", "min", "max"}),
        targets=("median", "mean"),
        unit="s",
        times="mean|stddev|median|user|system|min|max",
        others="times|exit_codes?|memory_usage_byte",
        inputs="parameter_.*",
    ),
    *(
        KnownTable(  # its export to Markdown
            HYPERFINE,
            frozenset({"command", "relative", *(f"{x} [{unit}]" for x in ("mean", "min", "max"))}),
            targets=(f"mean [{unit}]",),
            unit=unit.replace("µ", "u"),
            times=r"(mean|min|max) \[.*\]",
            others="relative",
            inputs="parameter_.*",
        )
        for unit in ("µs", "ms", "s")
    ),
    KnownTable(
        "pytest-benchmark",
        frozenset({"name", "min", "max", "mean", "stddev", "rounds"}),
        targets=("median", "mean"),
        unit="s",
        times="mean|stddev|median|min|max|iqr|q1|q3|total|hd15iqr|ld15iqr|iqr_outliers",
        others="outliers|stddev_outliers|ops|rounds|iterations|fullname|group|data",
    ),
    KnownTable(  # its CSV
        NANOBENCH,
        frozenset({"title", "name", "unit", "batch", "elapsed", "error %"}),
        targets=("elapsed",),
        unit="s",
        times="elapsed|total",
        others="unit|error %|instructions|branches|branch misses",
    ),
    KnownTable(  # its JSON
        NANOBENCH,
        frozenset({"median(elapsed)", "clockresolution"}),
        targets=("median(elapsed)",),
        unit="s",
        times=r"median\(elapsed\)|totaltime|clockresolution|m\w+epochtime",
        others=r"unit|median.*\(.*\)|clockresolutionmultiple|\w*epoch\w*|warmup|relative",
    ),
    KnownTable(
        "vegeta",
        frozenset({"attack", "seq", "code", "timestamp", "latency", "bytes_out"}),
        targets=("latency",),
        unit="ns",
        times="latency",
        others="attack|seq|code|timestamp|error|body|bytes_in|headers.*",
    ),
    KnownTable(
        "perf_analyzer",
        frozenset({"inferences/second", "client send", "p99 latency"}),
        targets=("p50 latency", "avg latency"),
        unit="us",
        times=r"client (send|recv)|network\+server send/recv|server .*|.* latency|response wait",
        others="inferences/second|.*throughput.*|request/response|.*gpu.*",
    ),
    KnownTable(
        "llama-bench",
        frozenset({"model_n_params", "n_prompt", "n_gen", "avg_ns", "avg_ts"}),
        targets=("avg_ns",),
        unit="ns",
        times="avg_ns|stddev_ns",
        others="avg_ts|stddev_ts|test|test_time|build_.*|samples_.*|model_filename|cpu_mask",
    ),
    KnownTable(
        "trtexec",
        frozenset({"latencyms", "computems", "h2dms", "d2hms"}),
        targets=("latencyms",),
        unit="ms",
        times=r"\w*ms",
    ),
    KnownTable(
        "trtexec",
        frozenset({"averagems", "medianms", "timems", "percentage"}),
        targets=("medianms", "averagems"),
        unit="ms",
        times=r"\w*ms",
        others="percentage",
    ),
    KnownTable(  # before version 8.4
        "trtexec",
        frozenset({"latencyms", "computems", "inms", "outms"}),
        targets=("latencyms",),
        unit="ms",
        times=r"\w*ms",
    ),
    KnownTable(
        "Ollama",
        frozenset({"total_duration", "load_duration", "prompt_eval_count", "eval_duration"}),
        targets=("total_duration",),
        unit="ns",
        times=r"\w+_duration",
        others="created_at|response|done_reason|context",
    ),
    KnownTable(  # of cargo-criterion
        "Criterion",
        frozenset({"reason", "typical_estimate", "typical_unit", "mean_estimate"}),
        targets=("typical_estimate",),
        unit="ns",
        times=r"\w+_(estimate|lower_bound|upper_bound)",
        others=r"\w*unit|iteration_count|report_directory",
    ),
    KnownTable(
        "CUTLASS's profiler",
        frozenset({"operation", "runtime", "gb/s", "gflops"}),
        targets=("runtime",),
        unit="ms",
        times="runtime",
        others="gb/s|gflops",
    ),
    KnownTable(  # of bench_serving
        "SGLang's serving benchmark",
        frozenset({"mean_ttft_ms", "mean_e2e_latency_ms"}),
        targets=("median_e2e_latency_ms", "mean_e2e_latency_ms"),
        unit="ms",
        times=r"\w*(ttft|tpot|itl|e2e)\w*",
        others=r"completed|total_(input|output)_(text_|vision_)?tokens\w*|duration|concurrency"
        r"|accept_length|max_concurrent_requests|output_lens",
    ),
    KnownTable(  # of bench_one_batch, as written by latency_test_run_once
        "SGLang's benchmark of one batch",
        frozenset({"prefill_latency", "total_latency", "overall_throughput"}),
        targets=("total_latency",),
        unit="s",
        times="(prefill|median_decode|total)_latency",
    ),
    KnownTable(  # of bench_one_batch_server, as written by BenchOneCaseResult
        "SGLang's benchmark of one batch",
        frozenset({"latency", "input_throughput", "output_throughput", "overall_throughput"}),
        targets=("latency",),
        unit="s",
        times=r"latency|(last_)?ttft",
        others="acc_length|profile_link.*",
    ),
    KnownTable(
        "vLLM's serving benchmark",
        frozenset({"mean_ttft_ms", "mean_tpot_ms"}),
        targets=("median_e2el_ms", "mean_e2el_ms"),
        unit="ms",
        times=r"\w*(ttft|tpot|itl|e2el)\w*",
        others="completed|failed|total_(input|output)_tokens|duration|max_concurrent_requests"
        "|output_lens",
    ),
    KnownTable(  # of `vllm bench latency`
        "vLLM's latency benchmark",
        frozenset({"avg_latency", "percentiles_50"}),
        targets=("percentiles_50", "avg_latency"),
        unit="s",
        times=r"avg_latency|percentiles_\d+",
    ),
    KnownTable(  # of torch's profiler (Kineto), of ONNX Runtime and of browsers
        "a trace",
        frozenset({"ph", "ts", "dur", "name"}),
        targets=("dur",),
        unit="us",
        times="dur|ts",
        others="ph|pid|tid|.*external id|.*correlation|.*node_index",
    ),
    *(
        KnownTable(  # benchmark_moe.py prints the kernel's time in microseconds
            "a tuner of MoE kernels (vLLM's benchmark_moe)",
            frozenset({"shard_intermediate_size", time}),
            targets=(time,),
            unit="us",
            times=time,
        )
        for time in ("kernel_time", "kernel time")
    ),
    KnownTable(
        "Google Benchmark",
        OF_GOOGLE_BENCHMARK,
        targets=("real_time", "cpu_time"),
        unit="ns",
        times="real_time|cpu_time",
        others=r"name|run_\w+|iterations|repetition\w*|\w*family\w*_index|aggregate_\w+|time_unit"
        r"|\w+_per_second|\w+_coefficient|big_o|rms|error_\w+|skipped",
    ),
    KnownTable(
        "JMH",
        frozenset({"benchmark", "mode", "score", "unit"}),
        targets=("score",),
        unit="ms",
        times="score",
        others=r"score error.*|samples|unit",
    ),
    *(
        KnownTable(
            "torch's profiler",
            frozenset(columns),
            targets=targets,
            unit="us",
            times=times,
            others=r"count|key|# of calls|.*%|.*mem.*",
        )
        for columns, targets, times in (
            (
                ("self_cpu_time_total", "cpu_time_total"),
                ("device_time_total", "cuda_time_total", "cpu_time_total"),
                r"(self_)?(cpu|cuda|xpu|device)_time(_total)?",
            ),
            (
                ("self cpu", "cpu total"),
                ("cuda total", "cpu total"),
                r"(self )?(cpu|cuda|xpu)( total| time avg)?",
            ),
        )
    ),
    *(
        KnownTable(
            "nn-Meter",
            frozenset({device}),
            targets=(device,),
            unit="ms",
            times=r"(cortexa76cpu_tflite|adreno6[34]0gpu_tflite|myriadvpu_openvino)\w*",
        )
        for device in (
            *("cortexa76cpu_tflite21", "adreno640gpu_tflite21", "adreno630gpu_tflite21"),
            "myriadvpu_openvino2019r2",
        )
    ),
    KnownTable(
        "JMeter",
        frozenset({"timestamp", "elapsed", "responsecode", "allthreads"}),
        targets=("elapsed", "latency"),
        unit="ms",
        times="elapsed|latency|connect|idletime",
        others="timestamp|response.*|failuremessage|success|(sent)?bytes|threadname|url",
    ),
    KnownTable(
        "hey",
        frozenset({"response-time", "dns+dialup", "response-delay"}),
        targets=("response-time",),
        unit="s",
        times="response-.*|dns.*|request-write",
        others="status-code|offset",
    ),
    KnownTable(
        "Locust",
        frozenset({"type", "name", "request count", "median response time", "requests/s"}),
        targets=("median response time", "average response time"),
        unit="ms",
        times=r".* response time|\d[\d.]*%",
        others=".* count|.*/s|average content size",
    ),
    KnownTable(
        "nccl-tests",
        frozenset({"size", "time", "algbw", "busbw"}),
        targets=("time",),
        unit="us",
        times="time",
        others="algbw|busbw|#?wrong",
    ),
    KnownTable(
        "Nsight Systems",
        frozenset({"total time (ns)", "avg (ns)", "max (ns)"}),
        targets=("med (ns)", "avg (ns)"),
        unit="ns",
        times=r".*\(ns\)",
        others=r"time \(%\)|instances|num calls|count|operations",
    ),
    KnownTable(
        "the command time",
        frozenset({"real", "user", "sys"}),
        targets=("real",),
        unit="s",
        times="real|user|sys",
    ),
    KnownTable(
        "NNLQP",
        frozenset({"graph_id", "batch_size", "cost_time", "plt_id"}),
        targets=("cost_time",),
        unit="ms",
        times="cost_time",
        others="speed_id|graph_id|stage",
    ),
)
NNLQP_COLUMNS: Final = (
    *("speed_id", "graph_id", "batch_size", "cost_time", "model_type", "plt_id", "stage"),
)
# A line of its list, which has no header.
NNLQP_LINE: Final = re.compile(r"\S+ \S+\.onnx \d+ [\d.eE+-]+ \S+ \d+ \w+")


def known_table(columns: Collection[str]) -> KnownTable | None:
    """Return the table of another program that has these columns; None when none has them."""
    names = {name.lower() for name in columns}
    return next((table for table in KNOWN_TABLES if table.columns <= names), None)
