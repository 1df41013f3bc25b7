"""A bank on a database server of its own, which may be killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from serving.store.migrate import migrate
from tests.faults.load import Api, Load
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, Client, make_bank


@pytest.fixture(scope="package")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """Ready to decide."""
    settings = Settings(home=tmp_path_factory.mktemp("faults"))
    database = open_database(settings)
    migrate(database)
    yield make_bank(settings, database, tmp_path_factory.mktemp("city"))
    stop_embedded(settings)


@pytest.fixture(scope="package")
def api(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Its API, as it is run."""
    found = Api(bank, Path(tmp_path_factory.mktemp("log")) / "serve.log")
    found.start()
    yield found
    assert found.stop() in {0, -signal.SIGTERM}  # uvicorn ends in order, then by the signal that it was sent
    assert "Traceback" not in found.log.read_text()


@pytest.fixture(scope="package")
def people(bank: Bank, api: Api) -> list[tuple[str, str]]:
    """Applicants with consents that outlast these tests."""
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)
        return [(n, client.consent_id(n, valid_to="2190-01-01")) for n in (GOOD, LATE, MIDDLE)]


@pytest.fixture
def load(bank: Bank, api: Api, people: list[tuple[str, str]]) -> Load:
    """Clients that have not begun."""
    return Load(api.url, bank.tokens["integration_engineer"], people)
