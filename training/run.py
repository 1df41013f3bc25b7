"""One training from a portfolio to its bundle, its report and its place in the analysts' account.

``yidai train`` and the demo call ``prepare`` once and ``train_model`` for each model. Nothing here reads
the clock: a bundle is dated by the last as-of instant of its data, so that the same data give the same
bytes, the same digest and the same folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.timeline.ingest import FileReport
from training.bundle import Bundle
from training.models import ModelName
from training.population import Rows
from training.portfolio import Portfolio
from training.sample import Progress, Sample


@dataclass(frozen=True, slots=True)
class Prepared:
    """A portfolio's rows, read once for all of its models. ``sample`` are the labelled ones, in order."""

    portfolio: Portfolio
    rows: Rows
    sample: Sample
    files: tuple[FileReport, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of a training. ``folder`` holds bundle.json, report.html and report.json.

    ``held_out`` float64 [rows of the sample] are the predictions of rows that the predicting model has
    not seen, NaN where there is none. ``run_id`` is empty where no tracking server is set.
    """

    bundle: Bundle
    data: bytes
    digest: str
    folder: Path
    held_out: NDArray[np.float64]
    summary: str
    warnings: tuple[str, ...]
    run_id: str


def prepare(portfolio: Portfolio, *, data: Path | None = None, lake: Path | None = None) -> Prepared:
    """Read a portfolio's rows: from its own files (``data``), or from the lake if it says ``use_lake``.

    Raises:
        Invalid: no data folder, no lake, rows that break the portfolio; see ``population_rows``.
    """
    raise NotImplementedError


def train_model(
    prepared: Prepared,
    model: ModelName,
    out: Path,
    *,
    progress: Progress | None = None,
    tracking: bool = True,
) -> Trained:
    """Train, judge, report and, where ``MLFLOW_TRACKING_URI`` is set and ``tracking`` is true, log a model.

    Files go to ``out/<portfolio>/<model>/<first 12 of the digest>``.
    """
    raise NotImplementedError
