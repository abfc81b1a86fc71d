"""This module tells which processes train together."""

from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def processes() -> PartialState:
    """Return the processes that train together: those of a launcher, or this one alone.

    The first ``PartialState`` of a process decides for all later ones. It does not read the
    variable with which launchers ask for processes on the CPU, so it is read here.
    """
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
