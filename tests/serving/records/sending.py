"""Records sent to a bank's API, and what of them is in its tail and its lake."""

from __future__ import annotations

import json
from typing import Any

import httpx

from features.timeline.lake import Lake
from serving.records.flush import Flushed, flush
from serving.records.tail import CommandTail
from serving.store.session import owner_transaction
from tests.serving.feeding import subject_of
from tests.serving.world import PLAN, Bank, Client

CASE = {"closed_on": "", "amount": "90000.00", "kind": "dishonest", "published_at": "2024-11-05T09:00:00"}


def case(number: str, name: str, filed_on: str = "2024-11-01", **changes: Any) -> dict[str, Any]:
    """A court case that declines whoever has it."""
    return {"id_number": number, "case_id": name, "filed_on": filed_on, **CASE, **changes}


def send(client: Client, rows: list[Any], dataset: str = "court_case") -> httpx.Response:
    """One call."""
    body = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return client.ask("POST", f"/v1/records/{dataset}", content=body.encode())


def sent(client: Client, rows: list[Any], dataset: str = "court_case") -> dict[str, Any]:
    """The report of a call that was taken."""
    got = send(client, rows, dataset)
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.json()
    return found


def flushed(bank: Bank) -> Flushed:
    """Move the tail into the lake."""
    return flush(bank.database, Lake(bank.settings.lake_root), PLAN.contracts)


def waiting(bank: Bank) -> list[int]:
    """Numbers in the tail."""
    with owner_transaction(bank.database) as owner:
        return [row[0] for row in owner.execute("SELECT seq FROM record_tail ORDER BY seq").fetchall()]


def versions(bank: Bank, number: str, dataset: str = "court_case") -> list[int]:
    """Versions of somebody's rows in lake and tail together."""
    with owner_transaction(bank.database) as owner:
        lake = Lake(bank.settings.lake_root, CommandTail(owner))
        return sorted(lake.raw(PLAN.contracts[dataset], [subject_of(bank, number)]).version.tolist())
