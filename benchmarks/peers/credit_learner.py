"""A peer of the learner: fits on the train rows of each part and predicts the test rows, as it comes.

    python credit_learner.py NAME ROWS.npz PREDICTIONS.npy

``ROWS.npz`` holds ``x`` float64 [rows, columns] (NaN where absent), ``category`` bool [columns], ``target`` int8
[rows], and for each part k ``train_k`` and ``test_k``. Written are PD float64 [parts, rows], NaN elsewhere; the
last line printed is a JSON object with ``seconds`` and ``peak_rss_gb``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from common import peak_rss_gb

MANY_CELLS = 5_000_000


def optbinning(x: pd.DataFrame, y: np.ndarray, category: np.ndarray) -> Any:
    """Its scorecard: optimal binning of every column, WOE, logistic regression."""
    from optbinning import BinningProcess, Scorecard  # noqa: PLC0415 - each peer alone
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    names = list(x.columns)
    chosen = [name for name, own in zip(names, category, strict=True) if own]
    process = BinningProcess(names, categorical_variables=chosen or None)
    card = Scorecard(process, LogisticRegression(max_iter=1000))
    return card.fit(x, y, metric_missing="empirical", metric_special="empirical")


def ebm(x: pd.DataFrame, y: np.ndarray, category: np.ndarray) -> Any:
    """An explainable boosting machine with its defaults."""
    from interpret.glassbox import ExplainableBoostingClassifier  # noqa: PLC0415 - each peer alone

    kinds = ["nominal" if own else "continuous" for own in category]
    return ExplainableBoostingClassifier(feature_types=kinds, n_jobs=2, random_state=1).fit(x, y)


def lightgbm(x: pd.DataFrame, y: np.ndarray, category: np.ndarray) -> Any:  # noqa: ARG001 - categories are codes
    """LightGBM with its defaults; on few cells threads only wait for each other."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415 - each peer alone

    return LGBMClassifier(verbosity=-1, n_jobs=1 if x.size < MANY_CELLS else -1, random_state=1).fit(x, y)


PEERS: dict[str, Callable[..., Any]] = {"optbinning": optbinning, "ebm": ebm, "lightgbm": lightgbm}


def main(name: str, source: str, target: str) -> None:
    """Fit and predict every part."""
    warnings.simplefilter("ignore")
    rows = np.load(source)
    x = pd.DataFrame(rows["x"], columns=[f"c{place}" for place in range(rows["x"].shape[1])])
    parts = sum(key.startswith("train_") for key in rows)
    out = np.full((parts, len(x)), np.nan)
    began = time.perf_counter()
    for place in range(parts):
        train, test = rows[f"train_{place}"], rows[f"test_{place}"]
        varies = (x.iloc[train].nunique() > 1).to_numpy()  # optbinning refuses a column without values
        kept = x.loc[:, varies]
        model = PEERS[name](kept.iloc[train], rows["target"][train], rows["category"][varies])
        if len(test):
            out[place, test] = model.predict_proba(kept.iloc[test])[:, 1]
    seconds = time.perf_counter() - began
    np.save(target, out)
    print(json.dumps({"seconds": seconds, "peak_rss_gb": peak_rss_gb()}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
