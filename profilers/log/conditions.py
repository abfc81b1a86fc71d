"""This module holds the only table of conditions.

Every use is derived from it: which conditions a log refuses to mix, which a fit refuses and a
predictor keeps, which a comparison of two logs notes, and which are never features.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, and where its value must be the same.

    Attributes:
        column: The name of its column.
        one_per_log: Whether a log of `automoe profile`, and a merge of logs, refuses a row with
            another value. `automoe log check` reports several values as a problem.
        is_kept: Whether a fit refuses several values, unless the column is named as a feature.
            The predictor keeps the value and shows it.
        between_logs: What a comparison of two logs does when their values differ.
        detail_of: The column whose content this one holds as JSON. It is not compared, because
            the other column tells contents apart.
    """

    column: str
    one_per_log: bool = True
    is_kept: bool = True
    between_logs: Literal["refused", "noted", "ignored"] = "noted"
    detail_of: str = ""


CONDITIONS: Final = (
    # Another version has other columns, times other graphs or times them in another way.
    Condition("schema_version"),
    # The fingerprint does not contain the plugin's name, by which a fit tells devices apart.
    Condition("device"),
    Condition("device_fingerprint"),
    Condition("power_mode"),
    Condition("runtime"),
    Condition("threads"),
    # Latencies of different workloads cannot be compared unless a user forces it.
    Condition("workload", between_logs="refused"),
    # It holds the whole workload, such as the counts of a routing trace, which the text leaves out.
    Condition("workload_json", one_per_log=False, between_logs="ignored", detail_of="workload"),
    # `automoe profile` writes these two within `runtime` and `workload`. As a caller's own columns
    # they may vary within a log on purpose, for a fit with that feature.
    Condition("runtime_version", one_per_log=False),
    Condition("precision", one_per_log=False),
)

# Logs of others may have conditions under these names. This is a guess: `log check` reports
# several values, but a fit takes such a column for a feature and only warns.
NAMES_OF_OTHERS: Final = frozenset(
    {"device_name", "device_model", "gpu", "gpu_name", "cpu", "machine", "host", "hostname"}
    | {"framework", "framework_version", "backend", "version", "driver", "dtype"}
    | {"n_threads", "num_threads", "intra_op_threads"}
)

NEVER_FEATURES: Final = frozenset(condition.column for condition in CONDITIONS)
ONE_PER_LOG: Final = tuple(x.column for x in CONDITIONS if x.one_per_log)
KEPT: Final = tuple(x.column for x in CONDITIONS if x.is_kept)
ONE_PER_FIT: Final = tuple(x.column for x in CONDITIONS if x.is_kept and not x.detail_of)
COMPARED: Final = tuple(x.column for x in CONDITIONS if x.between_logs != "ignored")
REFUSED_IN_COMPARISON: Final = tuple(x.column for x in CONDITIONS if x.between_logs == "refused")
DETAILS: Final = {x.column: x.detail_of for x in CONDITIONS if x.detail_of}
