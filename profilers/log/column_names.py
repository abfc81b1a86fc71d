"""This module tells by the name of a column whether it is a result, bookkeeping or a condition.

A feature is known before a measurement. A result is not: as a feature it would give the answer
away. So columns are told apart by the words of their names. A name is split at characters other
than letters and digits of any script, and before a capital letter.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

from profilers.log.conditions import NEVER_FEATURES
from profilers.log.unit_words import UNIT_WORDS, without_factor

NameKind = Literal["input", "unclear", "result", "bookkeeping", "condition"]

_LONG = frozenset(word for word in UNIT_WORDS if "second" in word or word.startswith("min"))
_SECONDS = frozenset(word for word, unit in UNIT_WORDS.items() if unit == "s") - _LONG
_TIME = frozenset({"time", "times", *(word for word in _LONG if word.endswith("seconds"))})
_AFTER_TIME = frozenset(  # time_per_token, time_to_first_token, time_taken
    {"per", "to", "between", "of", "taken", "spent", "cost", "consumed"}
)
# `total_s` is a time, while `n_s` may be a number.
_BEFORE_SECONDS = frozenset(
    {"total", "wall", "clock", "cpu", "mean", "median", "avg", "average", "exec", "prefill"}
    | {"decode", "forward", "backward"}
)

_DURATION = frozenset(
    {"latency", "latencies", "lat", "duration", "durations", "elapsed", "walltime", "cputime"}
    | (UNIT_WORDS.keys() - _LONG - _SECONDS)
    | {"makespan", "took", *(word for word in _SECONDS if word != "s")}
    | {"ttft", "tpot", "itl", "e2el", "e2e", "tbt", "ttlt", "ttst"}
)
_SPREAD = frozenset(
    {"std", "stdev", "stddev", "var", "variance", "stderr", "sem", "iqr", "mad", "ci"}
    | {"err", "error", "errors", "rsd", "outliers", "percentile"}
)
# A name that consists of these words alone, such as `mean` or `max`, is a statistic of the
# measurements. Together with other words they describe an input: `max_batch_size`.
_STATISTICS = _SPREAD | {
    *("mean", "avg", "average", "median", "min", "max", "minimum", "maximum", "geomean"),
    *("total", "sum", "best", "worst", "fastest", "slowest", "low", "high", "lower", "upper"),
    *("dev", "deviation", "standard", "range", "rel", "relative", "cv", "cov", "sd", "ts"),
    *("lb", "ub"),
}
_RATES = frozenset(
    {"throughput", "thrpt", "tput", "goodput", "tps", "rps", "qps", "fps", "ips", "gbps", "mbps"}
    | {"gibps", "bandwidth", "bw", "speed", "speedup", "slowdown", "tflops", "pflops"}
)
_COUNTED = frozenset(
    {"tok", "toks", "token", "tokens", "seq", "seqs", "req", "reqs", "request", "requests"}
    | {"sample", "samples", "img", "imgs", "image", "images", "frame", "frames", "inference"}
    | {"inferences", "infer", "query", "queries", "item", "items", "it", "iter", "iters", "ops"}
    | {"flop", "flops", "gflop", "gflops", "mflops", "gb", "mb", "gib", "mib", "bytes"}
)
_RESULT = (
    _DURATION
    | _SPREAD
    | _RATES
    | {"energy", "mj", "joule", "joules", "power", "watt", "watts", "wh", "mwh", "kwh"}
    | {"temperature", "temp", "celsius", "mhz", "cycles", "ticks", "jitter", "misses", "faults"}
    | {"rss"}
    | {"mfu", "hfu", "mbu", "util", "utils", "utilization", "utilisation", "occupancy"}
    | {"efficiency", "acceptance", "completed"}
    | {"drift", "sentinel", "samples", "processes", "wall", "quality", "stop", "reason"}
    | {"mape", "loss", "bleu", "accuracy", "perplexity", "ppl", "wer", "cer", "rmse", "mse"}
    | {"psnr", "ssim", "miou", "auc", "rouge", "chrf", "maxrss"}
    | {"insn", "ipc", "cpi", "migrations", "stalled", "exitcode", "returncode", "retries", "oom"}
    | {"success", "passed", "failed", "failure", "failures", "crashed", "allocated", "reserved"}
    | {"converged", "edp", "carbon", "price", "usd", "rtf", "rtfx", "utime", "stime"}
)
# Words of results, unless a word of an input stands beside them: `map`, but not `feature_map`.
_SCORES = frozenset(
    {"acc", "f1", "recall", "score", "scores", "map", "r2", "mae", "auroc", "auprc", "ndcg"}
    | {"iou", "dice", "meteor", "em", "mrr", "top1", "top5", "acc1", "acc5", "map50", "map75"}
    | {"loads", "stores", "prefetches", "instructions"}
    | {"diff", "overhead", "improvement", "normalized"}
)
_RESULT_PAIRS = frozenset(
    {("grad", "norm"), ("gradient", "norm"), ("exact", "match"), ("pass", "1"), ("top", "1")}
    | {("cpu", "percent"), ("gpu", "percent"), ("memory", "percent"), ("peak", "mem")}
    | {("top", "5"), ("exit", "code"), ("return", "code"), ("response", "code")}
    | {("task", "clock"), ("cpu", "clock"), ("cache", "references"), ("context", "switches")}
    | {("time", "factor")}
)
_WHOLE_RESULTS = frozenset({("exit",), ("branches",), ("real",), ("user",), ("sys",)})
_BOOKKEEPING = frozenset(
    {"id", "uid", "uuid", "hash", "index", "timestamp", "datetime", "date", "seed", "commit"}
    | {"version", "flag", "flags", "status", "path", "file", "host", "hostname", "note", "notes"}
    | {"comment", "schema", "at", "unnamed", "pid", "url"}
)
# These words are bookkeeping as a whole name only: `trial`, but not `trial_length`.
_COUNTERS = frozenset(
    {"run", "trial", "rep", "repeat", "repetition", "replicate", "row", "nr", "no", "state"}
)
REPEATED: Final = _COUNTERS | {"iter", "iteration", "sample", "try", "attempt", "measurement"}
# When something happened: `start`, `end_time`, `finished_at`. It is no duration.
_MOMENTS = frozenset(
    {"start", "started", "begin", "began", "end", "ended", "finish", "finished", "stop", "stopped"}
    | {"created", "submitted", "submit", "arrival", "complete", "stamp"}
)
_OF_MOMENTS = frozenset({"time", "times", "at", "ts", "t", "in", *UNIT_WORDS})
# What somebody set is known, also where it limits a result: `power_limit_w`, `target_qps`.
_SETTINGS = frozenset(
    {"limit", "cap", "target", "requested", "timeout", "slo", "sla", "deadline", "budget"}
    | {"warmup", "threshold", "tolerance", "mode"}  # low_latency_mode
)
_MEASURED_WARMUP = frozenset({"mean", "avg", "average", "median", "latency"})  # warmup_avg_us
_KNOWN_SETTINGS = frozenset(
    {("gpu", "memory", "utilization"), ("loss", "scale"), ("error", "bound")}  # one is of vLLM
)
# What is long, and how long it is: `audio_duration` and `chunk_ms` are known before a measurement.
_LONG_INPUTS = frozenset(
    {"audio", "video", "clip", "speech", "utterance", "chunk", "hop", "window", "shift"}
)
_LONG_BY = frozenset({"duration", "length", "ms", "s", "sec", "secs", "seconds"})
_OWN_RESULTS = frozenset({"n_blocks"})  # of `automoe profile`; elsewhere, blocks are layers

# Words of quantities that are known before a measurement.
_INPUTS = frozenset(
    {"batch", "bs", "isl", "osl", "seq", "sequence", "sequences", "len", "length", "lengths"}
    | {"context", "ctx", "prompt", "prompts", "token", "tokens", "input", "inputs", "output"}
    | {"outputs", "layer", "layers", "block", "blocks", "depth", "dim", "dims", "embed", "hidden"}
    | {"head", "heads", "size", "sizes", "width", "widths", "height", "channel", "channels"}
    | {"kernel", "stride", "padding", "groups", "expert", "experts", "topk", "ffn", "mlp", "inter"}
    | {"tp", "pp", "dp", "ep", "thread", "threads", "worker", "workers", "core", "cores", "gpus"}
    | {"concurrency", "beam", "flop", "flops", "gflop", "gflops", "mflops", "macs", "gmacs"}
    | {"param", "params", "parameter", "parameters", "weight", "weights", "bytes", "kb", "mb"}
    | {"gb", "mib", "gib", "memory", "activations", "feature", "features", "rank", "resolution"}
    | {"vocab", "vocabulary", "num", "n", "m", "k", "count", "ratio", "sparsity", "density"}
    | {"bits", "precision", "nodes", "edges", "stage", "stages", "work", "area", "volume"}
    | {"steps", "type", "dtype", "shape", "shapes"}
)

_GREEK_MU, _MICRO = "\u03bc", "\u00b5"  # two characters for the prefix of microseconds
_UNREADABLE = "\ufffd"  # what is left of a character in an unknown encoding; it is part of a word
# Between a letter of the Latin alphabet or a digit and a letter of Chinese, Japanese or Korean.
_EAST_ASIAN = "\u2e80-\u9fff\uac00-\ud7af"
# `MilliSeconds` and `milli_seconds` are one word.
_PREFIX_APART = re.compile(r"(?<![a-z])(nano|micro|milli)[ _-]+(?=sec)")
_SCRIPTS_MEET = re.compile(rf"(?<=[{_EAST_ASIAN}])(?=[a-z0-9])|(?<=[a-z0-9])(?=[{_EAST_ASIAN}])")

_PERCENTILE = re.compile(r"p(5|10|20|25|50|75|80|9\d{1,3})|\d\dth|99\d*")
_IN_SECONDS = re.compile(r"[\s_][(\[]s[)\]]$")  # wall clock (s), but not CPU(s)
# A unit of energy or power: `E [mJ]`, `P (W)`, `run_mJ`. `_W` alone may be a width.
_OF_ENERGY = re.compile(r"[(\[][nuµmk]?(J|Wh?)[)\]]|(?<![A-Za-z])[nuµmk](J|Wh?)$")
_PERCENT = re.compile(r"\d+(\.\d+)?\s*%")  # the name of a percentile, as locust writes it
_NUMBERED = re.compile(r"(ms|us|µs|ns|time|lat|latency|mean|median)\d+")
_ONE_WORD = re.compile(r"(E2EL?|mAP|mIoU)(?![a-z])")  # although a capital stands within it
_SECOND = "|".join(word for word, unit in UNIT_WORDS.items() if unit == "s")
_RATE = re.compile(rf"(/|\bper|_per)[ _]?({_SECOND})(?![a-z])")
_FOR_ONE = r"\s*(/|[ _]per[ _-])\s*[a-z]"
_TIME_PER = re.compile(rf"({'|'.join(UNIT_WORDS)}){_FOR_ONE}")
_TIME_FOR_ONE = re.compile(rf"(?<![a-z])({'|'.join(UNIT_WORDS)}|latency|time|duration){_FOR_ONE}")


@lru_cache(maxsize=65536)  # a table may have thousands of columns, which are asked many times
def words(name: str) -> tuple[str, ...]:
    """Return the words of a column name in lower case: `latency_std_Encoder` has three."""
    whole = _ONE_WORD.sub(lambda match: f"_{match[0].lower()}", name)
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", whole)
    apart = re.sub(r"([A-Z]{2,})([A-Z][a-z]{2,})", r"\1_\2", apart).lower()
    apart = _PREFIX_APART.sub(r"\1", apart)
    apart = _SCRIPTS_MEET.sub("_", apart.replace(_GREEK_MU, _MICRO))
    return tuple(word for word in re.split(rf"[^\w{_UNREADABLE}]|_", apart) if word)


def is_duration(name: str) -> bool:
    """Return whether a column is a measured time, judged by its name."""
    name = without_factor(name)
    own = _plain_words(name)
    if is_rate(name) or is_moment(name) or _is_set(own) or "cycles" in own:
        return False
    if not _DURATION.isdisjoint(own) or is_time_per(name):
        return True
    if any(a in _TIME and b in _AFTER_TIME for a, b in pairwise(own)):
        return True
    if own[-1:] == ("s",) and not name.endswith("(s)") and _BEFORE_SECONDS.intersection(own[-2:-1]):
        return True
    if _IN_SECONDS.search(name):
        return True
    quantity = list(own)
    while len(quantity) > 1 and (quantity[-1] in _SECONDS | _STATISTICS or _is_number(quantity)):
        quantity.pop()
    return bool(quantity) and quantity[-1] in _TIME


def is_time_per(name: str) -> bool:
    """Return whether a name is a time for one of something: `s/iter`, `ms_per_token`."""
    return _TIME_PER.match(name.lower()) is not None


def is_time_for_one(name: str) -> bool:
    """Return whether a name says anywhere that it is a time for one of something.

    `latency (ms/img)` and `latency per token` do.
    """
    return _TIME_FOR_ONE.search(name.lower()) is not None


def is_rate(name: str) -> bool:
    """Return whether a column tells how much is done in a second, judged by its name."""
    own = words(name)
    has_unit = own[-1:] and own[-1] in _SECONDS and not _COUNTED.isdisjoint(own[-2:-1])
    is_per_second = _RATE.search(name.lower()) or _RATE.search(" ".join(own))
    return bool(is_per_second or has_unit or not _RATES.isdisjoint(own))


def is_energy(name: str) -> bool:
    """Return whether a name tells an energy or a power with its unit: `energy_mJ`, `P (W)`."""
    return _OF_ENERGY.search(name) is not None


def is_moment(name: str) -> bool:
    """Return whether a column tells when something happened, judged by its name."""
    telling = [word for word in words(name) if word not in _OF_MOMENTS]
    return bool(telling) and _MOMENTS.issuperset(telling)


def kind_of_name(name: str, targets: Iterable[str] = ()) -> NameKind:
    """Return what a column is, judged by its name.

    A `condition` holds for the whole log (see `profilers.log.conditions`). A `result` has a word
    for a measured quantity (latency, std, tokens/s, energy), or is a statistic by itself (mean,
    p99), or a moment (start_time), or shares its first word with a target. The last rule does not
    apply to a target that names a duration, such as `encoder_latency`, because the words cover its
    related columns.
    `bookkeeping` has a word such as id, seed or timestamp. An `input` has a word for a quantity
    that is known before a measurement. Any other name is `unclear`.

    Args:
        name: The name of the column.
        targets: The names of the target columns.
    """
    own = _plain_words(name)
    if name in NEVER_FEATURES:
        return "condition"
    if not own:
        return "bookkeeping"
    if _is_set(own):
        return "input"
    if is_duration(name) or _is_result(name, own):
        return "result"
    is_counter = len(own) == 1 and own[0] in _COUNTERS
    if is_counter or not _BOOKKEEPING.isdisjoint(own):
        return "bookkeeping"
    prefixes = {words(target)[:1] for target in targets if not is_duration(target)}
    if own[:1] in prefixes:
        return "result"
    return "unclear" if _INPUTS.isdisjoint(own) else "input"


def is_known_before_measuring(name: str, targets: Iterable[str]) -> bool:
    """Return whether a column may be a feature, judged by its name, see `kind_of_name`."""
    return kind_of_name(name, targets) in ("input", "unclear")


def _is_set(own: tuple[str, ...]) -> bool:
    """Return whether somebody set what a name tells, also where it is a time."""
    settings = _SETTINGS - ({"warmup"} if not _MEASURED_WARMUP.isdisjoint(own) else set())
    if own in _KNOWN_SETTINGS or (len(own) > 1 and not settings.isdisjoint(own)):
        return True
    return any(a in _LONG_INPUTS and b in _LONG_BY for a, b in pairwise(own))


def _is_result(name: str, own: tuple[str, ...]) -> bool:
    if name in _OWN_RESULTS or is_energy(name):
        return True
    if is_rate(name) or not _RESULT.isdisjoint(own):
        return True
    if own in _WHOLE_RESULTS or is_moment(name) or not _RESULT_PAIRS.isdisjoint(pairwise(own)):
        return True
    if _PERCENT.fullmatch(name) or (_INPUTS.isdisjoint(own) and not _SCORES.isdisjoint(own)):
        return True
    if any(_PERCENTILE.fullmatch(word) and not word.isdigit() for word in own):
        return True
    if "peak" in own and not {"memory", "mem", "mb", "gb", "mib", "gib", "vram"}.isdisjoint(own):
        return True
    return all(word in _STATISTICS or _PERCENTILE.fullmatch(word) for word in own)


def _plain_words(name: str) -> tuple[str, ...]:
    """Return the words of a name, without the number of a repeated measurement: `us1` is `us`."""
    return tuple(
        word.rstrip("0123456789") if _NUMBERED.fullmatch(word) else word for word in words(name)
    )


def _is_number(quantity: list[str]) -> bool:
    return quantity[-1].isdigit() or _PERCENTILE.fullmatch(quantity[-1]) is not None
