"""The processes that train together."""

from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def processes() -> PartialState:
    """Return who trains together: the processes of a launcher, otherwise this one alone.

    The first ``PartialState`` decides for all that follow, and by itself it does not look at the
    variable with which launchers ask for processes on the CPU.
    """
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
