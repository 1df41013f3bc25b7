"""An issue of a model, and reports that were kept, without a book and without a model."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import numpy as np

from features.calendar import instant
from features.loans.model import State
from features.loans.whole import STATES, WholeBook
from serving.access.model import Permission, Role
from serving.access.repository import actor_of, create_token
from serving.analytics import repository
from serving.analytics.model import portfolio
from serving.analytics.opening import open_issues
from serving.store.session import tenant_transaction
from tests.serving.world import NOW, Bank
from training.limits import load_limits
from training.monitoring import Finding, Kind, Monitored

ENDS = [instant(f"2024-{month:02d}-01") for month in (10, 11, 12)]


def monitored(*months: str, bundle: str = "b" * 64) -> Monitored:
    """A model whose score moved in these months."""
    found = tuple(
        Finding(Kind.SCORE_MOVED, month, "score", 0.4, 0.25, "See who applies now.") for month in months
    )
    return Monitored(bundle, "risk", "2024-01-01", 900, None, (), found)


def found_wanting(bank: Bank, tenant: str) -> str:
    """The id of an open issue of a tenant."""
    token = create_token(bank.database, tenant, f"analyst {uuid4()}", [Role.ANALYST], NOW)
    analyst = actor_of(bank.database, token, NOW).allowed(Permission.SUBMIT)
    name = uuid4().hex * 2
    with tenant_transaction(bank.database, tenant) as connection:
        open_issues(connection, analyst, monitored("2024-11", bundle=name), load_limits(), NOW)
        row = connection.execute("SELECT issue_id FROM model_issue WHERE bundle = %s", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def book(as_of: int, days: int) -> WholeBook:
    """One open loan of 9,000 yuan, so many days late."""
    one, none = np.array([1]), np.array([0])
    bucket = np.array([0 if not days else 1])
    return WholeBook(
        as_of, one, one, one * STATES.index(State.ACTIVE), np.array([days]), bucket, none, one * 900_000, one * 900_000, one, none > 0, none, none, none > 0
    )  # fmt: skip


def kept_reports(bank: Bank, tenant: str = "city") -> None:
    """The book of three months, whole and of the segment ``small``, and the monitoring of a model."""
    books = [book(end, days) for end, days in zip(ENDS, (0, 5, 0), strict=True)]
    view = portfolio(books, {"segment": ["small"], "village": ["not known"]})
    told = {"opened": 1, "found": monitored("2024-11"), "overrides": []}
    with tenant_transaction(bank.database, tenant) as connection:
        for part in ("", "segment:small"):
            repository.keep(connection, tenant, "portfolio", part, ENDS[-1], msgspec.json.encode(view), NOW)
        repository.keep(connection, tenant, "monitoring", "risk", ENDS[-1], msgspec.json.encode(told), NOW)
