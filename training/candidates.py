"""What a booster is tried with, by the size of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FEW_BADS = 1000
"""Under this many bads gentler candidates are tried."""
GROUPS_FOR_DEEP = 5000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One set of LightGBM parameters. Trees have at most eight leaves, so that they can be tabulated."""

    name: str
    parameters: dict[str, Any]
    rounds: int


def default_candidates(rows: int, bads: int, groups: int) -> tuple[Candidate, ...]:
    """The candidates for a sample of this size.

    *Scattered* trees cut at random places, which on a few hundred rows overfits less than the best cut. Rows of
    one group are hardly new evidence: deep trees go by the number of groups.
    """
    common = {
        "objective": "binary",
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "verbosity": -1,
    }
    small = Candidate("small", common | {
        "max_depth": 3, "num_leaves": 8, "learning_rate": 0.08, "feature_fraction": 0.2, "lambda_l2": 0.0,
        "min_data_in_leaf": int(np.clip(0.0015 * rows, 5, 60)), "max_bin": 127,
    }, 200)  # fmt: skip
    shallow = Candidate("shallow", common | {
        "max_depth": 3, "num_leaves": 8, "learning_rate": 0.15, "feature_fraction": 0.6, "lambda_l2": 5.0,
        "min_data_in_leaf": int(np.clip(0.005 * rows, 10, 200)), "max_bin": 127,
    }, 400)  # fmt: skip
    deep = Candidate("deep", common | {
        "max_depth": 6, "num_leaves": 8, "learning_rate": 0.10, "feature_fraction": 0.6, "lambda_l2": 5.0,
        "min_data_in_leaf": 20, "max_bin": 255,
    }, 400)  # fmt: skip
    scattered = Candidate("scattered", small.parameters | {"extra_trees": True}, 300)
    if bads >= FEW_BADS:
        return shallow, deep
    return (small, scattered, shallow, deep) if groups >= GROUPS_FOR_DEEP else (small, scattered, shallow)
