"""The one place that reads the clock; engines are given the moment."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def wall_clock() -> int:
    """Now, in µs of UTC: the only clock of a process, handed to everything that needs one."""
    return time.time_ns() // 1_000
