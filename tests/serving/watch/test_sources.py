"""Where the values of signals come from, on a real database: earlier months, models, guarantors, and what a join shows."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.calendar import instant, months_before
from features.consent import Access, Purpose
from features.definitions.conditions import BrokenDefinition
from features.derived.conduct import DATASET
from features.timeline.door import Door, MemoryLog
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.store.session import tenant_transaction
from serving.watch.book import Book
from serving.watch.deriving import derive
from serving.watch.service import door_of, look
from serving.watch.signals import SHIPPED, SignalsDocument, load_signals
from serving.watch.values import Reading, gather, narrowed
from tests.serving.feeding import ingest, subject_of
from tests.serving.watch.test_watch import DUE, LOAN
from tests.serving.world import GOOD, LATE, MIDDLE, PLAN, Bank, Client

SIGNALS = load_signals(SHIPPED, (column.name for column in PLAN.columns))
NOW = instant("2024-11-20")
TX = "id_number transaction_id booked_at direction amount kind counterparty balance_after failed"
GUARANTEE = (
    "id_number guarantee_no loan_id guarantor_id_number signed_on ends_on amount ring_size published_at"
)


@pytest.fixture(scope="module", autouse=True)
def book(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three loans drawn in October: GOOD's, whose money comes back, and MIDDLE's to the same payee; LATE, who guarantees, pays nothing."""
    folder, made = tmp_path_factory.mktemp("loans"), "2024-10-08T09:00:00"
    given = [(GOOD, "L1"), (LATE, "L2"), (MIDDLE, "L3")]
    ingest(bank, folder / "a", "loan", LOAN, [
        [n, loan, f"A{loan}", made, made, "2025-08-01", "", 9000, 60000, 12, "active", made] for n, loan in given
    ])  # fmt: skip
    ingest(bank, folder / "b", "loan_instalment", DUE, [
        [n, loan, k, day, "4500.00", made]
        for n, loan in given for k, day in enumerate(("2024-10-12" if n == LATE else "2024-12-12", "2025-01-12"), start=1)
    ])  # fmt: skip
    ingest(bank, folder / "c", "bank_transaction", TX, [
        [GOOD, "T91", "2024-10-09T10:00:00", "out", 8000, "transfer", "DEALER", 1000, 0],
        [GOOD, "T92", "2024-10-20T10:00:00", "in", 5000, "transfer", "DEALER", 6000, 0],
        [MIDDLE, "T93", "2024-10-10T10:00:00", "out", 9000, "trade", "DEALER", 10, 0],
    ])  # fmt: skip
    ingest(bank, folder / "d", "guarantee", GUARANTEE, [
        [MIDDLE, "G1", "L3", LATE, "2024-10-08", "", 9000, 2, made], [GOOD, "G2", "L9", LATE, "2024-10-08", "", 9000, 2, made],
    ])  # fmt: skip
    client.consent_id(GOOD, purpose="post_loan_management")


def door(bank: Bank) -> Door:
    """To the bank's own records."""
    return Door(
        Lake(bank.settings.lake_root), Access("t", Purpose.POST_LOAN_MANAGEMENT, "city", 1), MemoryLog()
    )


def told(bank: Bank, signal: str, at: int = NOW) -> set[int]:
    """Whose loans raise a signal."""
    open_loans, outcome = look(PLAN, SIGNALS, door(bank), at)
    return {int(open_loans.subject[hit.row]) for hit in outcome.hits if hit.signal == signal}


def test_what_only_a_join_shows_is_derived_once_and_raises_its_signal(bank: Bank) -> None:
    lake, authority = Lake(bank.settings.lake_root), bank.authority("risk_officer", Permission.HANDLE_ALERTS)
    assert told(bank, "fund_backflow") == set()
    with tenant_transaction(bank.database, "city") as connection:
        reader = door_of(connection, authority, lake, bank.clock())
        assert derive(lake, PLAN.contracts, reader, NOW) == 3
        assert derive(lake, PLAN.contracts, reader, NOW) == 0
    good, middle = subject_of(bank, GOOD), subject_of(bank, MIDDLE)
    assert told(bank, "fund_backflow") == {good}
    assert told(bank, "fund_backflow", instant("2024-10-15")) == set(), "it had not come back yet"
    events = lake.read(PLAN.contracts[DATASET])
    assert set(events.subject.tolist()) == {good, middle}
    assert events.columns["share"].max() == 1_000_000


def test_a_guarantor_with_a_red_signal_weakens_the_loan_that_is_guaranteed(bank: Bank) -> None:
    assert told(bank, "dpd_open") == {subject_of(bank, LATE)}
    assert told(bank, "guarantor_weak") == {subject_of(bank, MIDDLE)}
    _, outcome = look(PLAN, SIGNALS, door(bank), NOW)
    assert outcome.skipped["guarantor_weak"] == 0
    assert told(bank, "guarantor_weak", instant("2024-10-20")) == set(), "eight days late is no red"


def test_a_value_of_a_month_before_is_what_was_known_then(bank: Bank) -> None:
    kept = Reading.of(PLAN, SIGNALS)
    open_loans, values = gather(PLAN, SIGNALS, door(bank), NOW, reading=kept)
    before, then = gather(PLAN, SIGNALS, door(bank), months_before(NOW, 1))
    late = open_loans.subject.tolist().index(subject_of(bank, LATE))
    earlier = before.subject.tolist().index(subject_of(bank, LATE))
    assert values.values["dpd"][late] == 39
    for name in ("dpd", "bank_bal_mean_1m"):
        assert values.values[f"{name}@1m"][late] == then.values[name][earlier]
        assert values.known[f"{name}@1m"][late] == then.known[name][earlier]
    assert values.values["dpd@1m"][late] == 8
    assert values.values["limit_yuan"].tolist() == [9000.0] * 3


def test_what_a_model_says_is_taken_and_where_it_says_nothing_the_signal_is_skipped(bank: Bank) -> None:
    def given(book: Book, now: int) -> dict[str, np.ndarray]:
        assert now == NOW
        worse = np.where(book.subject == subject_of(bank, GOOD), 0.09, np.nan)
        grades = {"grade_now": np.full(len(worse), 7.0), "grade_grant": np.full(len(worse), 4.0)}
        return {"pd_now": worse, "pd_grant": np.full(len(worse), 0.02), **grades}

    open_loans, outcome = look(PLAN, SIGNALS, door(bank), NOW, given)
    hits = [hit for hit in outcome.hits if hit.signal == "score_drop"]
    assert [int(open_loans.subject[hit.row]) for hit in hits] == [subject_of(bank, GOOD)]
    assert hits[0].evidence_en.startswith("PD 9%, at the grant 2%; grade 7, at the grant 4; tenth – ")
    assert outcome.skipped["score_drop"] == 2


def test_only_what_signals_ask_is_computed_and_a_definition_of_nothing_is_refused() -> None:
    cut = narrowed(PLAN, SIGNALS.definitions, {"sig_net_worth", "bank_bal_mean_1m"})
    assert {c.name for c in cut.columns} == {
        "sig_net_worth", "sig_assets", "bur_balance", "re_owned_value", "veh_value", "bank_bal_mean_1m",
    }  # fmt: skip
    broken = msgspec.structs.replace(SIGNALS.definitions[0], dataset="nobody")
    with pytest.raises(BrokenDefinition, match="no contract"):
        narrowed(PLAN, (broken,), {"sig_short_delays_6m"})


def test_the_first_schema_and_the_second_say_the_same_of_what_is_past_due(bank: Bank) -> None:
    from pathlib import Path

    from serving.watch.signals import read_signals

    first = read_signals((Path(__file__).parent / "golden" / "signals_1.json").read_bytes())

    def late(document: SignalsDocument) -> list[tuple[int, str]]:
        return [
            (h.row, h.level) for h in look(PLAN, document, door(bank), NOW)[1].hits if h.signal == "dpd_open"
        ]

    assert late(first) == late(SIGNALS)
