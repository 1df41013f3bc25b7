"""A bank that may call this machine, and a receiver on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serving.settings import Settings
from serving.store.session import owner_transaction
from serving.webhooks.delivering import Told, deliver_all
from tests.serving.webhooks.receiving import Receiver, receiving
from tests.serving.world import Bank, Client, asking


@pytest.fixture(scope="module")
def private(bank: Bank) -> Settings:
    """Lets this machine be called."""
    return replace(bank.settings, webhooks_private=True)


@pytest.fixture(scope="module")
def client(bank: Bank, private: Settings) -> Iterator[Client]:
    """The integration engineer of an API that lets this machine be called."""
    with asking(bank, private) as found:
        yield found


@pytest.fixture
def receiver(bank: Bank) -> Iterator[Receiver]:
    """Of this test only: no endpoint outlives it."""
    with receiving() as found:
        yield found
    with owner_transaction(bank.database) as owner:
        owner.execute("TRUNCATE webhook_endpoint, webhook_delivery")


@pytest.fixture
def turn(bank: Bank, private: Settings):
    """One run of the worker's job, so many seconds later."""

    def run(seconds: float = 0) -> Told:
        bank.clock.now += round(seconds * 1_000_000)
        return deliver_all(private, bank.database, bank.clock)

    return run


def register(client: Client, receiver: Receiver, *kinds: str) -> dict:
    """A new endpoint, with its secret."""
    got = client.ask("POST", "/v1/webhooks", json={"url": receiver.url, "kinds": list(kinds)})
    assert got.status_code == 201, got.text
    return got.json()
