"""The account of trainings on a real MLflow server over PostgreSQL, and without any server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.demo.processes import free_port
from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from tests.training.conftest import write_flat
from training import tracking
from training.mlflow_server import client_environment, prepare_server, server_command, server_environment
from training.models import ModelName
from training.portfolio import load_portfolio
from training.run import Trained, prepare, train_model
from training.tracking import TrackingDown, UnknownVersion, mirror_champion, set_champion, versions

START_SECONDS = 180


def test_importing_the_account_does_not_import_mlflow() -> None:
    code = (
        "import sys, training.tracking, training.run; print('mlflow' in sys.modules, 'altair' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_without_a_server_nothing_is_mirrored_and_asking_is_refused(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert mirror_champion("flat", "rating", "d" * 64) is False
    with pytest.raises(TrackingDown, match="it is not set"):
        versions("flat", "rating")


def test_a_server_that_does_not_answer_is_said_within_seconds(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port(0)}")
    began = time.monotonic()
    with pytest.raises(TrackingDown, match=r"does not answer.*yidai mlflow"):
        set_champion("flat", "rating", "d" * 64)
    assert mirror_champion("flat", "rating", "d" * 64) is False
    assert time.monotonic() - began < 12


@contextmanager
def running(home: Path, url: str) -> Iterator[dict[str, str]]:
    """A real server with access control on a PostgreSQL; gives its client's environment."""
    port = free_port(0)
    prepare_server(home, url)
    log = (home / "mlflow.log").open("w")
    process = subprocess.Popen(
        server_command(port=port), env={**os.environ, **server_environment(home, url)}, stdout=log,
        stderr=log, cwd=home, start_new_session=True,
    )  # fmt: skip
    try:
        wait(f"http://127.0.0.1:{port}/health", process, home / "mlflow.log")
        yield client_environment(home, port=port)
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)
        log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[dict[str, str]]:
    """A real server with access control on the embedded PostgreSQL; gives its client's environment."""
    home = tmp_path_factory.mktemp("home")
    url = open_database(Settings(home=home)).admin_url
    prepare_server(home, url)  # twice does no harm
    try:
        with running(home, url) as environment:
            yield environment
    finally:
        stop_embedded(Settings(home=home))


def wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture
def client(server, monkeypatch) -> dict[str, str]:
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(scope="module")
def trained(server, tmp_path_factory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("flat")
        return train_model(prepare(load_portfolio(write_flat(folder))), ModelName.RATING, folder / "out")


@pytest.mark.campaign
def test_nobody_reads_the_account_without_the_password(server) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(
            f"{server['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/search?max_results=1"
        )
    caught.value.close()
    assert caught.value.code == 401


@pytest.mark.campaign
@pytest.mark.filterwarnings("default")  # mlflow and its libraries warn of each other
def test_a_training_is_one_run_with_its_figures_digests_and_files(client, trained) -> None:
    run = tracking._client().get_run(trained.run_id)
    assert run.data.metrics["auc"] == pytest.approx(trained.report.metrics.auc.value)
    assert run.data.params["learner"] == "scorecard"
    assert run.data.tags["digest"] == trained.digest
    assert run.data.tags["training_digest"] == trained.bundle.training_digest
    files = {item.path for item in tracking._client().list_artifacts(trained.run_id)}
    assert files >= {"bundle.json", "report.html", "report.json", "plots"}
    path = tracking._client().download_artifacts(trained.run_id, "bundle.json")
    assert Path(path).read_bytes() == trained.data


@pytest.mark.campaign
@pytest.mark.filterwarnings("default")
def test_a_bundle_is_one_version_however_often_it_is_trained(client, trained, tmp_path) -> None:
    again = train_model(prepare(load_portfolio(write_flat(tmp_path))), ModelName.RATING, tmp_path / "out")
    assert (again.digest, again.run_id) == (trained.digest, trained.run_id)
    (only,) = versions("flat", "rating")
    assert (only.digest, only.run_id, only.aliases) == (trained.digest, trained.run_id, ("challenger",))
    assert only.metrics["auc"] > 0.6


@pytest.mark.campaign
@pytest.mark.filterwarnings("default")
def test_the_champion_is_the_version_that_was_promoted(client, trained, tmp_path) -> None:
    set_champion("flat", "rating", trained.digest)
    set_champion("flat", "rating", trained.digest)
    folder = write_flat(tmp_path, exclude=["town"])
    newer = train_model(prepare(load_portfolio(folder)), ModelName.RATING, tmp_path / "out")
    first, second = versions("flat", "rating")
    assert (first.digest, first.aliases) == (newer.digest, ("challenger",))
    assert (second.digest, second.aliases) == (trained.digest, ("champion",))
    assert mirror_champion("flat", "rating", newer.digest) is True
    assert versions("flat", "rating")[0].aliases == ("challenger", "champion")
    with pytest.raises(UnknownVersion, match=r"flat.rating has no version of the bundle eeeeeeeeeeee"):
        set_champion("flat", "rating", "e" * 64)
    assert mirror_champion("flat", "rating", "e" * 64) is False
