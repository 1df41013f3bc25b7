"""The analysts' account of how models were made: the one module that imports mlflow, and only when it is used.

A run holds parameters, digests, metrics, the bundle and the report. Each bundle is one version of the
registered model ``<portfolio>.<model>``, found again by the tag ``digest``, so that logging a bundle
twice changes nothing. ``challenger`` is the newest trained version, ``champion`` the one in force.
"""

from __future__ import annotations

import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import NotFound, Unavailable

CHAMPION = "champion"
CHALLENGER = "challenger"
URI = "MLFLOW_TRACKING_URI"
_MOST_VERSIONS = 1000


class TrackingDown(Unavailable):
    """The MLflow server that is set does not answer, or does not let us in."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(
            f"the tracking server does not answer: {reason}.",
            place=uri,
            remedy=f"Start it with `yidai mlflow`, or unset {URI}; check MLFLOW_TRACKING_USERNAME and _PASSWORD.",
        )


class UnknownVersion(NotFound):
    """A bundle that was never logged."""

    def __init__(self, name: str, digest: str) -> None:
        super().__init__(
            f"{name} has no version of the bundle {digest[:12]}.",
            place="MLflow registry",
            remedy=f"Train it again with {URI} set: the same data give the same bundle.",
        )


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a model."""

    name: str
    version: str
    digest: str
    aliases: tuple[str, ...]
    run_id: str
    metrics: Mapping[str, float]


def tracking_uri() -> str:
    """The tracking server that is set in the environment; empty if there is none."""
    return os.environ.get(URI, "")


def registered_name(portfolio: str, model: str) -> str:
    """Name of a registered model."""
    return f"{portfolio}.{model}"


def log_training(
    portfolio: str,
    model: str,
    digest: str,
    folder: Path,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> str:
    """Log a trained bundle's run with every file of ``folder``, register it, call it challenger; the run's id.

    A bundle that is registered already keeps its run.

    Raises:
        TrackingDown: the server does not answer.
    """
    client = _client()
    name = registered_name(portfolio, model)
    found = _find(client, name, digest)
    if found is None:
        run_id = _log_run(client, name, digest, folder, parameters, metrics, tags)
        version = _register(client, name, digest, run_id)
    else:
        run_id, version = str(found.run_id), str(found.version)
    client.set_registered_model_alias(name, CHALLENGER, version)
    return run_id


def set_champion(portfolio: str, model: str, digest: str) -> None:
    """Point the alias ``champion`` at the version of a bundle; twice is as good as once.

    Raises:
        TrackingDown: the server does not answer.
        UnknownVersion: the bundle was never logged there.
    """
    client = _client()
    name = registered_name(portfolio, model)
    found = _find(client, name, digest)
    if found is None:
        raise UnknownVersion(name, digest)
    client.set_registered_model_alias(name, CHAMPION, found.version)


def mirror_champion(portfolio: str, model: str, digest: str) -> bool:
    """``set_champion`` where a tracking server is set, answers and knows the bundle; whether it was done.

    The registry of decisions is in PostgreSQL and does not wait for the analysts' account of it.
    """
    if not tracking_uri():
        return False
    try:
        set_champion(portfolio, model, digest)
    except (TrackingDown, UnknownVersion):
        return False
    return True


def versions(portfolio: str, model: str) -> list[Version]:
    """Every registered version, the newest first.

    Raises:
        TrackingDown: the server does not answer.
    """
    client = _client()
    name = registered_name(portfolio, model)
    aliases = _aliases(client, name)
    return [
        Version(
            name,
            str(one.version),
            one.tags.get("digest", ""),
            tuple(sorted(alias for alias, version in aliases.items() if str(version) == str(one.version))),
            str(one.run_id),
            dict(client.get_run(one.run_id).data.metrics),
        )
        for one in sorted(_versions(client, name), key=lambda one: -int(one.version))
    ]


def _client() -> Any:
    """A client of the tracking server, after a short look whether it answers."""
    uri = tracking_uri()
    if not uri:
        raise TrackingDown(URI, "it is not set")
    if uri.startswith("http"):
        _knock(uri)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - two seconds that only analysts pay

    return MlflowClient(tracking_uri=uri)


def _knock(uri: str) -> None:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5):  # noqa: S310 - http, checked above
            return
    except (OSError, urllib.error.URLError) as error:
        raise TrackingDown(uri, str(getattr(error, "reason", error))) from None


def _find(client: Any, name: str, digest: str) -> Any:
    return next((one for one in _versions(client, name) if one.tags.get("digest") == digest), None)


def _versions(client: Any, name: str) -> list[Any]:
    return list(client.search_model_versions(f"name = '{name}'", max_results=_MOST_VERSIONS))


def _aliases(client: Any, name: str) -> dict[str, Any]:
    found = client.search_registered_models(f"name = '{name}'")
    return dict(found[0].aliases) if found else {}


def _log_run(
    client: Any,
    name: str,
    digest: str,
    folder: Path,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> str:
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    run = client.create_run(experiment_id, run_name=digest[:12], tags={"digest": digest, **tags})
    run_id = str(run.info.run_id)
    _log_figures(client, run_id, parameters, metrics)
    client.log_artifacts(run_id, str(folder))
    client.set_terminated(run_id)
    return run_id


def _log_figures(
    client: Any, run_id: str, parameters: Mapping[str, object], metrics: Mapping[str, float]
) -> None:
    """All at once: the server checks the password anew at every request."""
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - as in ``_client``

    now = time.time_ns() // 1_000_000
    numbers = [Metric(key, value, now, 0) for key, value in metrics.items()]
    client.log_batch(run_id, numbers, [Param(key, str(value)) for key, value in parameters.items()])


def _register(client: Any, name: str, digest: str, run_id: str) -> str:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = client.get_run(run_id).info.artifact_uri
    version = client.create_model_version(name, source, run_id, tags={"digest": digest})
    return str(version.version)
