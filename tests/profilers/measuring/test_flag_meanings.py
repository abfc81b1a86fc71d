"""Each flag that a row can have is explained."""

import inspect
import re

from profilers import FLAG_MEANINGS, Measurement
from profilers.measuring.disturbance import DISTURBANCES


def test_every_flag_of_a_row_has_a_meaning() -> None:
    listed = re.search(r"flags: The flags of the row: (.*?)\.", inspect.getdoc(Measurement), re.S)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(FLAG_MEANINGS)
    assert set(DISTURBANCES) <= set(FLAG_MEANINGS)
