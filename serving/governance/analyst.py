"""What the analyst's commands do: train the models, and run the MLflow server."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from features.canonical import canonical_bytes, digest
from features.contracts.documents import read_yaml
from features.errors import Invalid
from features.files import put_file
from features.terminal import Step
from features.timeline.door import Door
from features.timeline.lake import Lake
from serving.access.model import Actor
from serving.access.repository import actor_of
from serving.backtest import AccessReport, read_history, train_access
from serving.classes.document import ClassesDocument
from serving.classes.parameters import SHIPPED as CLASSES
from serving.clock import wall_clock
from serving.policy.load import CITY, policy_from_yaml
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.access_log import StoreLog
from serving.store.engine import open_database
from serving.watch.signals import SHIPPED, SignalsDocument
from training.fraud import train_fraud
from training.mlflow_server import client_environment, prepare_server, server_command, server_environment
from training.models import ModelName
from training.population import private_door
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.run import Prepared, Trained, lake_door, prepare, train_model
from training.tracking import log_training, tracking_uri
from training.warning import WARNING

ACCESS = "access"
SCORED = tuple(name.value for name in ModelName)
NAMES = (ACCESS, *SCORED)
TOLD = (*SCORED, WARNING)
"""What the training package's own command trains."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained version: what is submitted (``kind``, ``data`` at ``path``) and where it goes (``slot``)."""

    slot: str
    kind: Kind
    data: bytes
    path: Path
    summary: str
    warnings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its files lie, the report among them."""
        return self.path.parent


class Trainer:
    """Trains the models of one portfolio; its rows are read once."""

    def __init__(self, settings: Settings, portfolio: str, data: Path | None = None) -> None:
        """Read the portfolio.

        Raises:
            Invalid: there is no such portfolio, or it is broken.
        """
        self._settings = settings
        self._portfolio = load_portfolio(find_portfolio(portfolio))
        self._data = data
        self._out = settings.home / "models"
        self._rating: Trained | None = None

    @cached_property
    def _prepared(self) -> Prepared:
        return prepare(self._portfolio, data=self._data, door=self._door())

    def _door(self) -> Door | None:
        return training_door(self._settings, self._portfolio)

    def train(self, name: str, progress: Step | None = None) -> TrainedModel:
        """Train access, rating or risk; see `yidai train`.

        Raises:
            Invalid: another name, or a portfolio that cannot teach it.
        """
        if name not in NAMES:
            problem = f"there is no model {name!r}."
            raise Invalid(problem, place="MODEL", remedy=f"Choose of: {', '.join((*NAMES, WARNING))}.")
        if name == ACCESS:
            return self._access(progress)
        trained = train_model(self._prepared, ModelName(name), self._out, progress=progress)
        if trained.bundle.model == ModelName.RATING:
            self._rating = trained
        path = trained.folder / "bundle.json"
        return TrainedModel(
            f"bundle.{name}", Kind.BUNDLE, trained.data, path, trained.summary, trained.warnings
        )

    def _access(self, progress: Step | None) -> TrainedModel:
        """The shipped policy, its data-sufficiency limit set by what the scorecard could tell of history.

        Beside it a fraud scorecard is trained where confirmed frauds can teach one.
        """
        prepared = self._prepared
        rating = self._rating or train_model(
            prepared, ModelName.RATING, self._out, progress=progress, tracking=False
        )
        pd = np.full(len(prepared.rows.outcome), np.nan)
        pd[prepared.rows.labelled()] = rating.held_out
        door = self._door() or private_door(self._portfolio, Lake(self._settings.lake_root))
        history = read_history(prepared.rows, self._portfolio, door)
        data, report = train_access(policy_from_yaml(CITY), history, pd)
        name = digest(data)
        folder = self._out / self._portfolio.name / ACCESS / name[:12]
        _write(folder, data, report)
        if tracking_uri():
            figures = {
                "min_sources": report.min_sources,
                "declined": report.declined,
                "referred": report.referred,
            }
            metrics = {key: float(value) for key, value in figures.items()}
            log_training(
                self._portfolio.name, ACCESS, name, folder, {"policy": name}, metrics, {"kind": "policy"}
            )
        fraud = train_fraud(prepared, self._out, progress=progress)
        summary = f"{_summary(report)}; {fraud.summary}"
        return TrainedModel("policy", Kind.POLICY, data, folder / "policy.json", summary)


def training_door(settings: Settings, portfolio: Portfolio, reader: Actor | None = None) -> Door | None:
    """To the lake for model development, as ``reader`` or whoever the settings' token names, logged in the store; None for
    a portfolio that brings its own files.

    Raises:
        NoLake: nothing was ingested.
        NobodyKnown: the token is nobody's.
    """
    root, now = settings.lake_root, wall_clock()
    if not portfolio.file.use_lake or not root.is_dir():
        return lake_door(portfolio, root, now)
    database = open_store(settings)
    if reader is None and settings.token:
        reader = actor_of(database, settings.token, now)
    actor = "yidai train" if reader is None else str(reader.actor_id)
    log = StoreLog(settings.tenant, lambda: database)
    return lake_door(portfolio, root, now, actor=actor, log=log)


def versions_of(portfolio: str, models: Iterable[TrainedModel]) -> list[tuple[str, Kind, bytes]]:
    """All that a portfolio decides with, in the order in which it can be put in force: slot, kind, bytes."""
    plan = load_portfolio(find_portfolio(portfolio)).plan
    signals = canonical_bytes(read_yaml(SHIPPED, SignalsDocument))
    return [
        ("definitions", Kind.DEFINITIONS, plan.document),
        *((model.slot, model.kind, model.data) for model in models if model.kind is Kind.BUNDLE),
        *((model.slot, model.kind, model.data) for model in models if model.kind is Kind.POLICY),
        ("signals", Kind.SIGNALS, signals),
        ("classes", Kind.CLASSES, canonical_bytes(read_yaml(CLASSES, ClassesDocument))),
    ]


def run_mlflow(settings: Settings) -> None:
    """Become the MLflow server; does not return."""
    url = open_database(settings).admin_url
    prepare_server(settings.home, url)
    command = server_command(port=settings.mlflow_port)
    os.execve(command[0], command, {**os.environ, **server_environment(settings.home, url)})  # noqa: S606 - our own command


def mlflow_environment(settings: Settings) -> dict[str, str]:
    """What a training needs in its environment to be tracked by that server."""
    return client_environment(settings.home, port=settings.mlflow_port)


def _write(folder: Path, policy: bytes, report: AccessReport) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (
        ("policy.json", policy),
        ("report.json", msgspec.json.format(msgspec.json.encode(report))),
    ):
        put_file(folder / name, data)


def _summary(report: AccessReport) -> str:
    return (
        f"of {report.rows:,} past applications its rules decline {report.declined:,} and refer {report.referred:,}; "
        f"at least {report.min_sources} sources must hold a record"
    )
