"""Who accepts offers and draws of lines, over HTTP."""

from __future__ import annotations

import time
from typing import Any

import httpx

from serving.store.session import owner_transaction
from tests.serving.world import CHECKS, GOOD, Bank, Client


def offered(client: Client, number: str = GOOD, **changes: Any) -> str:
    """The decision of an approved application, 20,000 yuan unless changed."""
    made = client.decide(number, client.consent_id(number), **changes).json()
    assert made["outcome"] == "approve", made
    return str(made["decision_id"])


def line(client: Client, number: str = GOOD, **changes: Any) -> str:
    """The decision of an offer that was accepted."""
    name = offered(client, number, **changes)
    assert ask(client, name, "accept").status_code == 200
    return name


def ask(client: Client, name: str, what: str, **body: Any) -> httpx.Response:
    """Accept, decline or reapprove."""
    if what == "reapprove":
        body = {"checks": CHECKS, **body}
    return client.ask("POST", f"/v1/offers/{name}/{what}", **({"json": body} if body else {}))


def draw(
    client: Client, name: str, amount: int, key: str = "", number: str = GOOD, **more: Any
) -> httpx.Response:
    """Draw so many fen."""
    headers = {"Idempotency-Key": key or f"draw {time.time_ns()}"}
    body = {"id_number": number, "amount_fen": amount, "checks": CHECKS, **more}
    return client.ask("POST", f"/v1/offers/{name}/drawdowns", json=body, headers=headers)


def shown(client: Client, name: str) -> dict[str, Any]:
    """An offer as it stands."""
    got = client.ask("GET", f"/v1/offers/{name}")
    assert got.status_code == 200, got.text
    return dict(got.json())


def promised(bank: Bank) -> int:
    """Fen, of all households."""
    with owner_transaction(bank.database) as owner:
        found = owner.execute("SELECT coalesce(sum(used), 0) FROM budget WHERE name = 'household'").fetchone()
    return int(found[0]) if found else 0
