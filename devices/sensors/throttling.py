"""This module reads whether a machine has slowed down, for heat or for too little voltage."""

from __future__ import annotations

import re
from typing import List, Optional

from devices.sensors.machine import CPUS, Machine

BOARD_STATE = "/sys/devices/platform/soc/soc:firmware/get_throttled"


def throttle_counts(machine: Machine) -> List[int]:
    """Return how often each x86 core and package has slowed down for heat since boot."""
    paths = machine.glob(CPUS + "/cpu[0-9]*/thermal_throttle/*_throttle_count")
    return [int(text) for text in map(machine.read_text, paths) if text and text.isdigit()]


def board_bits(text: Optional[str]) -> Optional[int]:
    """Return the bits of a text in which a Raspberry Pi's firmware says that it slows down.

    Bits for this moment are: 0 too little voltage, 1 capped clock, 2 throttling, 3 temperature
    limit. Bits 16 to 19 say the same for any time since boot. Return None when the text is
    something else.
    """
    match = re.match(r"(?:throttled=)?((?:0x)?[0-9a-fA-F]+)$", text or "")
    return int(match.group(1), 16) if match else None
