"""This module explains the flags of rows to people."""

from collections.abc import Mapping

# What each flag says about a row, and behind a semicolon what helps when a log is measured.
FLAG_MEANINGS: Mapping[str, str] = {
    "ci_unmet": "the 95 % interval is wider than asked for; more --rounds narrow it",
    "contended": "other programs used the cores; end them and measure into a new log",
    "throttled": "the device slowed itself down, as when it is hot or short of power; cool it",
    "slow_clock": "a clock was below its usual rate; --lock-clocks holds it where it can be held",
    "threads": "the runtime used more threads than asked for",
    "unsettled": "runs still became faster at the end of the warm-up",
    "sentinel_drift": "the machine became slower or faster, for which latency_ms is corrected",
    "restarted": "the worker died or its machine restarted, and the block was repeated",
}
