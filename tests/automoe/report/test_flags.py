import numpy as np
import pandas as pd

from automoe.report.flags import FlagCount, counted, explained, n_flagged
from profilers import FLAG_MEANINGS


def test_each_flag_of_a_row_counts_once() -> None:
    log = pd.DataFrame({"flags": ["ci_unmet;contended", np.nan, "contended", ""]})
    assert counted(log) == [
        FlagCount("ci_unmet", FLAG_MEANINGS["ci_unmet"], 1),
        FlagCount("contended", FLAG_MEANINGS["contended"], 2),
    ]
    assert n_flagged(log) == 2


def test_a_log_of_others_has_no_flags() -> None:
    assert counted(pd.DataFrame({"ms": [1.0]})) == []


def test_a_flag_of_a_later_release_is_shown_as_well() -> None:
    assert explained(["tired"]) == "tired: see the glossary"


def test_a_result_is_not_told_the_options_of_profile() -> None:
    assert (
        explained(["ci_unmet", "restarted"])
        == "ci_unmet: the 95 % interval is wider than asked for; restarted: the worker died or its "
        "machine restarted, and the block was repeated"
    )
    assert "--" not in explained(FLAG_MEANINGS)
