"""optbinning's information values over given bins, and the time of one row of its scorecard.

    python optbinning_card.py ROWS.npz

``ROWS.npz`` holds for each set k: ``x_k`` float64 [rows, columns] (NaN where absent), ``target_k`` int8 [rows], ``edges_k``
and ``codes_k`` float64 [columns, most] filled up with NaN. The last line printed is a JSON object with ``iv``, a list of
values for each set (null where there are no edges, or it does not keep them), and ``row_us`` of a card on set 0.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from optbinning import BinningProcess, OptimalBinning, Scorecard
from sklearn.linear_model import LogisticRegression

ROWS = 60


def information_value(x: np.ndarray, y: np.ndarray, edges: list[float], codes: list[float]) -> float | None:
    """IV of one column with each special code and what is absent in bins of their own; optbinning needs an edge."""
    if not edges:
        return None
    special = {f"code {code}": [code] for code in codes} or None
    one = OptimalBinning(
        user_splits=edges, user_splits_fixed=[True] * len(edges), monotonic_trend=None, special_codes=special
    )
    try:
        one.fit(x, y)
    except ValueError:  # a bin of one outcome only: it keeps no such edge
        return None
    if list(one.splits) != edges:
        return None
    return float(one.binning_table.build().loc["Totals", "IV"])


def row_us(x: np.ndarray, y: np.ndarray) -> float:
    """Median microseconds of ``predict_proba`` of one row, as a data frame."""
    frame = pd.DataFrame(x, columns=[f"c{place}" for place in range(x.shape[1])])
    card = Scorecard(BinningProcess(list(frame.columns)), LogisticRegression(max_iter=1000))
    card.fit(frame, y, metric_missing="empirical", metric_special="empirical")
    times = []
    for row in range(ROWS):
        one = frame.iloc[[row]]
        began = time.perf_counter()
        card.predict_proba(one)
        times.append(time.perf_counter() - began)
    return float(np.median(times) * 1e6)


def main(source: str) -> None:
    """Answer for every set."""
    warnings.simplefilter("ignore")
    given = np.load(source)
    found = []
    for number in range(sum(key.startswith("x_") for key in given)):
        x, y, edges, codes = (given[f"{key}_{number}"] for key in ("x", "target", "edges", "codes"))
        own = [
            (e[~np.isnan(e)].tolist(), c[~np.isnan(c)].tolist()) for e, c in zip(edges, codes, strict=True)
        ]
        found.append([information_value(column, y, e, c) for column, (e, c) in zip(x.T, own, strict=True)])
    print(json.dumps({"iv": found, "row_us": row_us(given["x_0"], given["target_0"])}))


if __name__ == "__main__":
    main(sys.argv[1])
