"""One embedded PostgreSQL a session, one migrated template and one bank in it, a copy of either for each module."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import httpx
import psycopg
import pytest

from serving.settings import Settings
from serving.store.engine import Database, open_database, stop_embedded
from serving.store.migrate import migrate
from serving.store.session import owner_transaction
from tests.serving.sending import counts
from tests.serving.world import GOOD, Bank, Client, Clock, make_bank
from tests.serving.world import serving as serving_bank

_numbers = count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A running server with a migrated template."""
    settings = Settings(home=tmp_path_factory.mktemp("yidai"), database_name="template")
    migrate(open_database(settings))
    yield settings
    stop_embedded(settings)


def clone(server: Settings, home: Path, template: str = "template") -> tuple[Settings, Database]:
    """A database of its own, copied from a template."""
    name = f"module_{next(_numbers)}"
    admin = open_database(server).admin_url.replace("/template?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    settings = replace(server, database_name=name)
    opened = open_database(settings)
    return replace(
        settings, database_url=opened.admin_url, home=home, master_key_file=server.key_file
    ), opened


@pytest.fixture(scope="module")
def store(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Database]:
    """An empty, migrated database for one module."""
    return clone(server, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def ready_bank(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A bank that is ready to decide and that nobody asks: what modules copy."""
    return make_bank(*clone(server, tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def bank(server: Settings, ready_bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A bank that is ready to decide, for one module."""
    home = tmp_path_factory.mktemp("home")
    settings, database = clone(server, home, ready_bank.settings.database_name)
    shutil.copytree(ready_bank.settings.home, home, dirs_exist_ok=True)
    own = replace(settings, as_of=ready_bank.settings.as_of, tenant=ready_bank.settings.tenant)
    return Bank(own, database, dict(ready_bank.tokens), Clock(ready_bank.clock.now))


@pytest.fixture(scope="module")
def address(bank: Bank) -> Iterator[str]:
    """Where the module's bank serves."""
    with serving_bank(bank) as url:
        yield url


@pytest.fixture(scope="module")
def client(bank: Bank, address: str) -> Iterator[Client]:
    """The integration engineer of the module's bank."""
    with httpx.Client(base_url=address, timeout=30) as http:
        yield Client(http, bank)


@pytest.fixture(scope="module")
def consent(client: Client) -> str:
    """A consent that everything could be decided under."""
    return client.consent_id(GOOD)


@pytest.fixture
def nothing_stored(bank: Bank, consent: str) -> Iterator[None]:
    """The store is as it was."""
    before = counts(bank)
    yield
    assert counts(bank) == before


@pytest.fixture
def nothing_promised(bank: Bank) -> None:
    """No household's cap is taken from, by tests that ask for the same people again and again."""
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE budget SET used = 0 WHERE name = 'household'")
