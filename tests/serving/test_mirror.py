"""MLflow's alias follows a promotion that it did not hear of, against a real server with its access control on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serving import operations
from serving.governance import inventory
from serving.registry.governance import ModelEntry
from serving.registry.model import EvidenceKind, Kind
from serving.work.kinds import KINDS
from serving.work.worker import Worker
from tests.serving.desk import Desk
from tests.serving.world import Bank
from tests.training.conftest import write_flat
from tests.training.test_tracking import running
from training.models import ModelName
from training.portfolio import load_portfolio
from training.run import prepare, train_model
from training.tracking import CHAMPION, versions


@pytest.fixture
def tracking(bank: Bank, monkeypatch) -> Iterator[dict[str, str]]:
    """The environment of a client of a running server."""
    with running(bank.settings.home, bank.database.admin_url) as environment:
        yield environment


@pytest.mark.campaign
@pytest.mark.filterwarnings("default")  # mlflow and its libraries warn of each other
def test_the_alias_follows_when_the_server_is_back(bank: Bank, tracking, tmp_path, monkeypatch) -> None:
    for name, value in tracking.items():
        monkeypatch.setenv(name, value)
    path = write_flat(tmp_path / "flat")
    trained = train_model(prepare(load_portfolio(path)), ModelName.RATING, tmp_path / "out", repeats=1)
    desk = Desk(bank)
    definitions = desk.submit(load_portfolio(path).plan.document, Kind.DEFINITIONS)
    digest = desk.submit(trained.data)
    desk.attach(digest, EvidenceKind.REPORT, (trained.folder / "report.json").read_bytes())
    for each in (definitions, digest):
        desk.approve(each)
    entry = ModelEntry("bundle.rating", 2, "risk desk", "Rates", "No firms")
    inventory.register(replace(bank.settings, token=bank.tokens["analyst"]), entry)
    for slot in ("policy", "bundle.risk"):
        _end(bank, slot)
    desk.promote(
        "definitions", definitions, {"bundle.rating": digest}, waived=["champion"], reason="another portfolio"
    )
    assert [one.aliases for one in versions("flat", "rating")] == [("challenger",)]
    kinds = tuple(kind for kind in KINDS if kind.name == "mirror_champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    (waiting,) = Worker(bank.settings, bank.database, kinds, bank.clock).drain()
    assert (waiting.state.value, waiting.attempts) == ("waiting", 1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking["MLFLOW_TRACKING_URI"])
    bank.clock.now += 3_600_000_000
    (done,) = Worker(bank.settings, bank.database, kinds, bank.clock).drain()
    assert done.result == {"mirrored": True, "digest": digest}
    (only,) = versions("flat", "rating")
    assert CHAMPION in only.aliases
    assert operations.champion(bank.database, "city", "bundle.rating", bank.clock())[0] == only.digest


def _end(bank: Bank, slot: str) -> None:
    """What would not fit the other definitions."""
    from serving.access.model import Permission
    from serving.registry.repository import active
    from serving.registry.service import end
    from serving.store.session import tenant_transaction

    asker, now = bank.authority("risk_officer", Permission.ACTIVATE), bank.clock()
    with tenant_transaction(bank.database, "city") as connection:
        end(connection, asker, slot, active(connection, now)[slot], now)
