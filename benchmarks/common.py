"""What every benchmark prints: a table for people, and one line of JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping


def finish(
    name: str,
    sizes: Mapping[str, object],
    figures: Mapping[str, float],
    ratios: Mapping[str, float],
    *,
    as_json: bool,
) -> None:
    """Print sizes, figures and ratios; with ``as_json`` the last line is the whole as JSON."""
    print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in sizes.items()))
    for title, values in (("figures", figures), ("ratios", ratios)):
        print(f"  {title}")
        for key, value in values.items():
            print(f"    {key:40} {value:12.4f}")
    if as_json:
        machine = {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        }
        print(
            json.dumps(
                {
                    "benchmark": name,
                    "machine": machine,
                    "sizes": dict(sizes),
                    "figures": dict(figures),
                    "ratios": dict(ratios),
                }
            )
        )
