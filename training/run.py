"""One training from a portfolio to its bundle, its report and its place in the analysts' account.

``yidai train`` and the demo call ``prepare`` once and ``train_model`` for each model. Nothing here reads
the clock: a bundle is dated by the last as-of instant of its data, so that the same data give the same
bytes, the same digest and the same folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import digest
from features.consent import Access, Purpose, stated_basis
from features.errors import Invalid
from features.files import put_file
from features.terminal import Step
from features.timeline.door import AccessLog, Door, FileLog
from features.timeline.ingest import FileReport
from features.timeline.lake import Lake
from training.bundle import Bundle, dump_bundle
from training.evaluation import Judged, judge, make_split
from training.leaks import check_leaks
from training.models import ModelName, Origin, predictor
from training.overrides import FILE as OVERRIDES
from training.overrides import read_overrides
from training.page import interval_text, pictures, render
from training.population import Rows, population_rows, private_rows
from training.portfolio import OutOfTime, Portfolio
from training.rejects import applicants_of, reject_band
from training.report import HorizonLine, Report, build_report
from training.sample import Sample, cross_predict
from training.tracking import log_training, tracking_uri
from training.validation import Metrics

FOLDS = 5
SEED = 11


class NoLake(Invalid):
    """A portfolio that lives in the lake, and no lake."""

    def __init__(self, portfolio: str, lake: Path | None) -> None:
        super().__init__(
            f"portfolio {portfolio} reads the lake, and there is none.",
            place=str(lake or "--lake"),
            remedy="Load feeds first: yidai city make, then yidai ingest.",
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A portfolio's rows, read once for all of its models. ``sample`` are the labelled ones, in order."""

    portfolio: Portfolio
    rows: Rows
    sample: Sample
    files: tuple[FileReport, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of a training. ``folder`` holds bundle.json, report.html, report.json and the pictures.

    ``held_out`` float64 [rows of the sample] are the predictions of rows that the predicting model has
    not seen, NaN where there is none. ``run_id`` is empty where no tracking server is set.
    """

    bundle: Bundle
    data: bytes
    digest: str
    folder: Path
    report: Report
    held_out: NDArray[np.float64]
    run_id: str

    @property
    def summary(self) -> str:
        """One line for people."""
        m = self.report.metrics
        return (
            f"AUC {interval_text(m.auc)}, KS {m.ks.value:.3f}, Brier {m.brier.value:.4f}, predicted/actual "
            f"{m.predicted_over_actual:.2f} on {m.rows:,} rows, {self.report.split}; bundle {self.digest[:12]}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a validator must look at."""
        return self.report.warnings


class UnknownModel(Invalid):
    """A name that no engine trains."""

    def __init__(self, name: str) -> None:
        known = ", ".join([*(one.value for one in ModelName), "warning"])
        super().__init__(f"there is no model {name!r}.", place="MODEL", remedy=f"Choose of: {known}.")


def model_name(text: str) -> ModelName:
    """The model of that name.

    Raises:
        UnknownModel: there is none.
    """
    if text not in list(ModelName):
        raise UnknownModel(text)
    return ModelName(text)


def models_folder(home: Path | None = None) -> Path:
    """Where trained models lie: ``models`` of ``home``, else of ``YIDAI_HOME``, else of ``.yidai``."""
    return (home or Path(os.environ.get("YIDAI_HOME", ".yidai"))) / "models"


def lake_door(
    portfolio: Portfolio, lake: Path | None, at: int, *, actor: str = "training", log: AccessLog | None = None
) -> Door | None:
    """The door for model development to the lake that the portfolio lives in; None where it brings its own files.

    Reads are logged at the moment ``at`` (µs), beside the lake where no ``log`` is given.

    Raises:
        NoLake: nothing was ingested there.
    """
    if not portfolio.file.use_lake:
        return None
    if lake is None or not lake.is_dir():
        raise NoLake(portfolio.name, lake)
    access = Access(actor, Purpose.MODEL_DEVELOPMENT, "", at)
    return Door(Lake(lake), access, log or FileLog(lake))


def prepare(portfolio: Portfolio, *, data: Path | None = None, door: Door | None = None) -> Prepared:
    """Read a portfolio's rows: from its own files (``data``), or through ``door`` if it says ``use_lake``.

    Raises:
        NoLake: the portfolio lives in the lake, and there is no door to one.
        Invalid: no data folder, or rows that break the portfolio; see ``population_rows``.
    """
    files: list[FileReport] = []
    if portfolio.file.use_lake:
        if door is None:
            raise NoLake(portfolio.name, None)
        rows = population_rows(portfolio, door)
    else:
        rows, files = private_rows(portfolio, portfolio.data_folder(data))
    known = rows.labelled()
    sample = Sample(
        rows.matrix.take(known), rows.outcome[known], rows.group[known], rows.as_of[known],
        optional_sources(portfolio), isinstance(portfolio.file.split, OutOfTime) and portfolio.file.split.panel,
    )  # fmt: skip
    return Prepared(portfolio, rows, sample, tuple(files))


def optional_sources(portfolio: Portfolio, purpose: Purpose = Purpose.CREDIT_ASSESSMENT) -> tuple[str, ...]:
    """Datasets and views that need the applicant's consent: all but the population's and those on a stated basis."""
    contracts = portfolio.contracts
    return tuple(
        name
        for name in portfolio.plan.datasets
        if (base := name.partition("@")[0]) != portfolio.file.population.dataset
        and not stated_basis(contracts[base], purpose)
    )


def train_model(
    prepared: Prepared,
    model: ModelName,
    out: Path,
    *,
    progress: Step | None = None,
    tracking: bool = True,
    repeats: int | None = None,
) -> Trained:
    """Train, judge, report and, where ``MLFLOW_TRACKING_URI`` is set and ``tracking`` is true, log a model.

    Files go to ``out/<portfolio>/<model>/<first 12 of the digest>``. ``repeats`` of the cross-validation
    override the portfolio's.

    Raises:
        Unlearnable: rows that cannot teach.
        TrackingDown: the files are written, but the tracking server does not answer.
    """
    split = make_split(prepared.sample, prepared.portfolio.file.split, repeats)
    judged = judge(model, prepared.sample, split, origin_of(prepared), progress)
    return publish(prepared, judged, out, progress=progress, tracking=tracking)


def publish(
    prepared: Prepared,
    judged: Judged,
    out: Path,
    *,
    progress: Step | None = None,
    tracking: bool = True,
    curve: tuple[HorizonLine, ...] = (),
) -> Trained:
    """Look for leaks, report a judged model, write its folder and, as ``train_model`` says, log it."""
    portfolio, sample, split = prepared.portfolio, prepared.sample, judged.split
    data = dump_bundle(judged.bundle)
    name = digest(data)
    if progress:
        progress("report", 0, 1)
    leaks = check_leaks(sample, list(split.first), prepared.rows.future)
    report = build_report(
        judged.bundle, name, portfolio.file.title, prepared.rows, sample, judged, leaks, prepared.files,
        portfolio.file.calibration,
    )  # fmt: skip
    applicants = applicants_of(prepared.rows, tuple(column.name for column in judged.bundle.columns))
    rejects = None if applicants is None else reject_band(applicants)
    overrides = read_overrides(out / portfolio.name / OVERRIDES)
    report = msgspec.structs.replace(report, curve=curve, rejects=rejects, overrides=overrides)
    folder = out / portfolio.name / judged.bundle.model / name[:12]
    charts = pictures(sample, judged, report)
    _write(folder, data, report, charts)
    run_id = ""
    if tracking and tracking_uri():
        run_id = _log(judged.bundle, name, folder, report)
    return Trained(judged.bundle, data, name, folder, report, judged.pd[0], run_id)


def out_of_fold(prepared: Prepared, model: ModelName) -> NDArray[np.float64]:
    """A PD for every row of the sample by models that have not seen it nor its group, whatever the split."""
    return cross_predict(prepared.sample, predictor(model, origin_of(prepared)), FOLDS, SEED)


def figures(metrics: Metrics, prefix: str = "") -> dict[str, float]:
    """Metrics as flat numbers, as trackers and programs want them; those that are not finite are left out."""
    flat = {
        "auc": metrics.auc.value, "auc_low": metrics.auc.low, "auc_high": metrics.auc.high, "ks": metrics.ks.value,
        "brier": metrics.brier.value, "log_loss": metrics.log_loss, "ece": metrics.ece,
        "predicted_over_actual": metrics.predicted_over_actual,
    }  # fmt: skip
    return {f"{prefix}{key}": value for key, value in flat.items() if np.isfinite(value)}


def origin_of(prepared: Prepared) -> Origin:
    """What a bundle of these rows says of its origin.

    Raises:
        Invalid: no row has an outcome.
    """
    portfolio = prepared.portfolio
    if not len(prepared.sample):
        raise Invalid(
            "no row has an outcome.", place=f"portfolio {portfolio.name}", remedy="Check its label."
        )
    created = int(prepared.sample.time.max())
    return Origin(
        portfolio.name, portfolio.file.model_kind, portfolio.plan.digest, created, portfolio.file.calibration
    )


def _write(folder: Path, data: bytes, report: Report, charts: dict[str, str]) -> None:
    """The bundle last: a folder that has one is whole."""
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for caption, svg in charts.items():
        put_file(folder / "plots" / f"{caption.split(':')[0].lower().replace(' ', '_')}.svg", svg.encode())
    put_file(folder / "report.json", msgspec.json.format(msgspec.json.encode(report)))
    put_file(folder / "report.html", render(report, charts).encode())
    put_file(folder / "bundle.json", data)


def _log(bundle: Bundle, name: str, folder: Path, report: Report) -> str:
    parameters = {"split": report.split, "model_kind": bundle.model_kind, **bundle.notes}
    metrics = figures(report.metrics) | (
        figures(report.challenger, "challenger_") if report.challenger else {}
    )
    metrics |= {f"auc_within_{one.months}_months": one.auc.value for one in report.curve}
    tags = {"definitions_digest": bundle.definitions_digest, "training_digest": bundle.training_digest}
    return log_training(bundle.portfolio, bundle.model, name, folder, parameters, metrics, tags)
