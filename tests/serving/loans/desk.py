"""Somebody who keeps loans over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.serving.feeding import ingest
from tests.serving.world import GOOD, LATE, Bank, Client

GRANT = {"id_number": GOOD, "granted_at": "2024-06-01", "limit_fen": 120_000, "repayment": "equal"}
SCHEDULE = [
    {"due_on": "2024-07-05", "principal_fen": 40_000, "interest_fen": 600},
    {"due_on": "2024-08-05", "principal_fen": 40_000, "interest_fen": 400},
    {"due_on": "2024-09-05", "principal_fen": 40_000, "interest_fen": 200},
]
FEED = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"
DRAWDOWN = {"at": "2024-06-05T10:00:00", "amount_fen": 120_000, "schedule": SCHEDULE}


@dataclass
class Desk:
    """One loan, granted by this client."""

    client: Client
    loan: str = ""

    def grant(self, key: str | None = None, **changes: Any) -> httpx.Response:
        """Grant a loan, the one that is then told of."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        got = self.client.ask("POST", "/v1/loans", json=GRANT | changes, headers=headers)
        self.loan = got.json().get("loan_id", "")
        return got

    def tell(self, what: str, key: str | None = None, **body: Any) -> httpx.Response:
        """Something that happened."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self.client.ask("POST", f"/v1/loans/{self.loan}/{what}", json=body, headers=headers)

    def pay(self, at: str, amount_fen: int, **more: Any) -> httpx.Response:
        """A payment."""
        return self.tell("payments", at=at, amount_fen=amount_fen, **more)

    def read(self, as_of: str = "") -> dict[str, Any]:
        """Where the loan stands."""
        got = self.client.ask("GET", f"/v1/loans/{self.loan}", params={"as_of": as_of} if as_of else {})
        assert got.status_code == 200, got.text
        found: dict[str, Any] = got.json()
        return found


def drawn(client: Client) -> Desk:
    """A loan that was granted and drawn."""
    desk = Desk(client)
    assert desk.grant().status_code == 201
    got = desk.tell("drawdowns", **DRAWDOWN)
    assert got.status_code == 201, got.text
    return desk


def feed_loan(bank: Bank, folder: Path, loan: str) -> None:
    """A loan of ``LATE`` in the bank's feeds, of which the last line was due on 1 December 2024."""
    made = "2024-08-01T09:00:00"
    row = [LATE, loan, "A1", made, made, "2024-12-01", "", 9000, 60000, 4, "active", made]
    ingest(bank, folder, "loan", FEED, [row])


def total(parts: dict[str, int]) -> int:
    """An amount of all parts."""
    return sum(parts.values())
