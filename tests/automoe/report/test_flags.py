import numpy as np
import pandas as pd

from automoe.report.flags import FlagCount, counted, meaning, n_flagged
from profilers.measuring.disturbance import DISTURBANCES


def test_each_flag_of_a_row_counts_once() -> None:
    log = pd.DataFrame({"flags": ["ci_unmet;contended", np.nan, "contended", ""]})
    assert counted(log) == [
        FlagCount("ci_unmet", "the 95 % interval stayed wider than the protocol asks for", 1),
        FlagCount("contended", "other programs used the cores", 2),
    ]
    assert n_flagged(log) == 2


def test_a_log_of_others_has_no_flags() -> None:
    assert counted(pd.DataFrame({"ms": [1.0]})) == []


def test_every_flag_of_a_measurement_has_a_meaning() -> None:
    others = ("ci_unmet", "unsettled", "sentinel_drift", "restarted")
    assert all(meaning(flag) != "see the glossary" for flag in (*DISTURBANCES, *others))
