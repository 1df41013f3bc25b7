"""What every peer script does: read the arguments, time the join, print seconds and peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

WINDOWS = (1, 3, 6, 12, 24)
FILTERS = (("all", None), ("k0", 0), ("k1", 1))
AGGREGATES = ("count", "sum", "mean", "min", "max")


def run(join) -> None:
    """``join(events glob, population file, output file)``; arguments come from the command line."""
    start = time.perf_counter()
    join(*sys.argv[1:4])
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_rss_gb": peak_rss_gb()}))


def peak_rss_gb() -> float:
    """Of this process since it was executed; ``ru_maxrss`` would begin at its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e6
