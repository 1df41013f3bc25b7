"""A few borrowers whose records come by call, a worker that looks at once, and one that looks at the whole book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from features.calendar import iso
from features.canonical import canonical_bytes
from features.contracts.documents import read_yaml
from features.timeline.lake import Lake
from serving.alerts.recording import Recorded
from serving.registry.model import Kind
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.inforce import in_force
from serving.watch.service import Watcher, WatchReport, watch_book
from serving.watch.signals import SHIPPED, SignalsDocument
from serving.work.live import LiveWatch
from tests.serving.feeding import ingest, subject_of
from tests.serving.records.sending import sent
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, STRANGER, YOUNG, Bank, Client

LOAN = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"  # fmt: skip
DUE = "id_number loan_id number due_on due_amount published_at"
MADE = "2024-08-01T09:00:00"
BORROWERS = {GOOD: "L1", LATE: "L2", MIDDLE: "L3", POOR: "L4"}
KEPT = (
    "level", "state", "coverage", "points", "quiet", "band", "disposal_due", "dpd", "overdue_fen", "playbook", "village",
    "owner", "evidence",
)  # fmt: skip
"""Of an alert all but its id, who caused it by id, and when this was found out."""
SECOND = 1_000_000
_numbers = count(1)


@dataclass(frozen=True)
class Street:
    """The bank as it is now: nothing is as of a sample's moment."""

    bank: Bank
    client: Client

    @property
    def live(self) -> LiveWatch:
        """A worker that has just begun."""
        return LiveWatch(replace(self.bank.settings, as_of=None), self.bank.database, self.bank.clock)

    def look(self) -> list[Recorded]:
        """Everybody who waits, at once."""
        return list(self.live.drain())

    def night(self, at: int | None = None, tenant: str = "city") -> WatchReport:
        """The whole book, with what the city's bank looks with."""
        now = self.bank.clock() if at is None else at
        with tenant_transaction(self.bank.database, "city") as connection:
            means = in_force(connection, now)
        watcher = Watcher(tenant, feeds=tenant == "city")
        return watch_book(self.bank.database, watcher, means, Lake(self.bank.settings.lake_root), now, now)

    def said(self) -> str:
        """Now, as records say it: the next whole second."""
        self.bank.clock.now = (self.bank.clock.now // SECOND + 1) * SECOND
        return iso(self.bank.clock.now)[:19]

    def tell(self, dataset: str, number: str, **fields: Any) -> None:
        """One record, published now."""
        row = {"id_number": number, **fields}
        row["published_at"] = row.pop("published", None) or self.said()
        report = sent(self.client, [row], dataset)
        assert report["accepted"] == 1, report

    def freeze(self, number: str) -> None:
        """An account is frozen: red at once, on the bank's own contract."""
        day = self.said()[:10]
        self.tell(
            "account_freeze",
            number,
            freeze_no=f"F{next(_numbers)}",
            frozen_on=day,
            authority="court",
            amount="900",
        )

    def sue(self, number: str) -> None:
        """A court case, which borrowers allow to be read."""
        day = self.said()[:10]
        self.tell(
            "court_case",
            number,
            case_id=f"C{next(_numbers)}",
            filed_on=day,
            closed_on="",
            amount="10",
            kind="civil",
        )

    def vouch(self, guarantor: str, borrower: str) -> None:
        """Somebody guarantees for a borrower."""
        day = self.said()[:10]
        more = {"loan_id": "", "ends_on": "", "amount": "9000", "ring_size": ""}
        self.tell(
            "guarantee", borrower, guarantee_no=f"G{next(_numbers)}", guarantor_id_number=guarantor, signed_on=day, **more
        )  # fmt: skip

    def pay(self, number: str, instalment: int) -> None:
        """An instalment in full."""
        now = self.said()
        row = {
            "id_number": number,
            "loan_id": BORROWERS[number],
            "number": instalment,
            "paid_at": now,
            "amount": "750.50",
            "days_late": 0,
        }
        sent(self.client, [row], "loan_payment")

    def waiting(self) -> list[int]:
        """Subjects in the queue."""
        with owner_transaction(self.bank.database) as owner:
            return [
                row[0]
                for row in owner.execute("SELECT subject_id FROM watch_queue ORDER BY place").fetchall()
            ]

    def watched(self) -> set[tuple[str, int]]:
        """Whose records are looked at, and for whom."""
        with owner_transaction(self.bank.database) as owner:
            return set(owner.execute("SELECT tenant_id, subject_id FROM watched").fetchall())

    def alerts(self, tenant: str = "city") -> dict[tuple[str, str], dict[str, Any]]:
        """All that is kept of open alerts, without when and under which id, by loan or village and signal."""
        with tenant_transaction(self.bank.database, tenant) as connection:
            connection.row_factory = dict_row  # type: ignore[assignment]
            rows: list[Any] = connection.execute("SELECT * FROM alert WHERE state <> 'released'").fetchall()
            points: list[Any] = connection.execute("SELECT * FROM alert_point ORDER BY point").fetchall()
        return {
            (row["loan"], row["signal"]): {name: row[name] for name in KEPT}
            | {"caused": row["cause_id"] is not None}
            | {
                "of": [
                    (p["point"], p["gravest"], p["band"], p["last_day"], p["last_rank"])
                    for p in points
                    if p["alert_id"] == row["alert_id"]
                ]
            }
            for row in rows
        }


def settle(bank: Bank, client: Client, folder: Path) -> Street:
    """Loans of the feeds, the shipped signals in force, one record of each kind that is told here, everybody watched."""
    bank.approved("signals", Kind.SIGNALS, canonical_bytes(read_yaml(SHIPPED, SignalsDocument)))
    for number in BORROWERS:
        client.consent_id(number, purpose="post_loan_management")
    ingest(bank, folder / "a", "loan", LOAN, [
        [n, loan, f"A{loan}", MADE, MADE, "2025-08-01", "", 9000, 60000, 12, "active", MADE] for n, loan in BORROWERS.items()
    ])  # fmt: skip
    ingest(bank, folder / "b", "loan_instalment", DUE, [
        [n, loan, k + 1, due, "750.50", MADE] for n, loan in BORROWERS.items()
        for k, due in enumerate(("2025-01-20", "2025-02-20"))
    ])  # fmt: skip
    street = Street(bank, client)
    street.freeze(YOUNG)
    street.vouch(YOUNG, STRANGER)
    street.look()
    street.night()
    return street


def subjects(bank: Bank, numbers: Iterable[str]) -> list[int]:
    """Ascending."""
    return sorted(subject_of(bank, number) for number in numbers)
