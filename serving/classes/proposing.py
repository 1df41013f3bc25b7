"""A month's proposals: the open book at its end, read through the door, judged, stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import month_index, month_start
from features.canonical import code_of
from features.definitions.plan import FeaturePlan
from features.loans.model import State
from features.loans.whole import STATES, WholeBook, whole_book
from features.timeline.door import Door
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.classes import repository
from serving.classes.document import CLASSES, STAGES, ClassesDocument, RiskClass
from serving.classes.judging import Judged, Told, judge
from serving.classes.model import MonthNotOver, Proposed, Row
from serving.classes.standing import Tables, month_name
from serving.classes.tiers import NOT_KNOWN, Before, evidence_of
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from serving.watch.book import Book, datasets, names, open_book
from serving.watch.models import Models
from serving.watch.service import Watcher, door_for
from serving.watch.values import Reading, Sources, never_came, values_of

LEVELS = (None, "yellow", "orange", "red")


@dataclass(frozen=True, slots=True)
class Run:
    """What a run classes with: the features of the definitions in force, the document and its digest, the lake, whether its
    feeds are the asker's own, and the models in force.
    """

    plan: FeaturePlan
    document: ClassesDocument
    digest: str
    lake: Lake
    own: bool
    models: Models = field(default_factory=Models)


def end_of(month: str, now: int) -> int:
    """The first instant after a month; the last that is over, where none is named.

    Raises:
        MonthNotOver: it has not ended, or it is none.
    """
    last = int(month_index(np.array([now]))[0])
    if not month:
        return int(month_start(last))
    year, _, number = month.partition("-")
    good = len(month) == 7 and year.isdigit() and number.isdigit() and 1 <= int(number) <= 12
    index = (int(year) - 1970) * 12 + int(number) if good else last + 1
    if index > last:
        raise MonthNotOver(month)
    return int(month_start(index))


def propose(database: Database, authority: Authority, run: Run, month: str, as_of: int, now: int) -> Proposed:
    """Class every open loan at a month's end, as it was known then. Again it changes what changed, and nothing twice.

    ``as_of`` is the moment that the lake is looked at from, ``now`` that of the consents and of the entry.

    Raises:
        MonthNotOver: at ``as_of`` the month has not ended.
    """
    authority.holds(Permission.CLASSIFY_LOANS)
    actor = authority.actor.actor_id
    return propose_for(database, Watcher(authority.tenant, str(actor), actor), run, month, as_of, now)


def propose_for(database: Database, watcher: Watcher, run: Run, month: str, as_of: int, now: int) -> Proposed:
    """As ``propose``, for a person or for the worker, which proposes as nobody: a person confirms."""
    end = end_of(month, as_of)
    name = month_name(end)
    before = month_name(int(month_start(month_index(np.array([end]))[0] - 1)))
    with tenant_transaction(database, watcher.tenant) as connection:
        named = _named(run, connection)
        tables, told = read(run, door_for(connection, watcher, run.lake, now), end, named)
        told = _with_store(connection, told, named, before, end)
        gone = connection.execute(repository.GONE, (before,)).fetchall()
    judged = judge(run.document, tables, told, end)
    rows = [*rows_of(judged, told, named, run.digest), *left_rows(tables, told.book, named, gone, end, run.digest)]  # fmt: skip
    with tenant_transaction(database, watcher.tenant) as connection:
        changed = repository.put(connection, watcher.tenant, name, rows, now)
        detail = {"loans": len(rows), "changed": changed}
        record(connection, watcher.tenant, now, watcher.actor_id, "classes.proposed", name, **detail)
    return _summary(name, rows, changed, judged, run.digest)


def _named(run: Run, connection: Connection) -> dict[int, str]:
    """Texts of the tenant's loans by code."""
    return names(run.lake, connection, feeds=run.own)


def read(run: Run, door: Door, end: int, named: Mapping[int, str]) -> tuple[Tables, Told]:
    """The tenant's open book at a moment and all that the rules read of it; nothing is known of before and of alerts."""
    plan, wanted = run.plan, datasets(run.plan.contracts)
    reading = Reading.of(plan, run.document.reading, run.models)
    tables = door.whole(plan.contracts, wanted, needed=wanted).tables
    book = _of(open_book(tables, end), named)
    asked = set(reading.whole.datasets) - set(reading.relatives)
    found, shares = door.shares(reading.whole.contracts, asked, book.subject)
    sources = Sources(tables, found, shares, never_came(reading, found, door))
    assert book.standing is not None
    unknown = np.full(len(book.loan), NOT_KNOWN, dtype=np.int8)
    values = values_of(reading, sources, book, end)
    return tables, Told(book.standing, values, Before(unknown, unknown), np.zeros_like(unknown))


def _of(book: Book, named: Mapping[int, str]) -> Book:
    assert book.standing is not None
    rows = np.array([code in named for code in book.loan.tolist()], dtype=bool)
    kept = book.standing.take(rows)
    return Book(kept.loan, kept.subject, kept.dpd, kept.overdue, kept)


def _with_store(connection: Connection, told: Told, named: Mapping[int, str], before: str, end: int) -> Told:
    was = {
        loan: (RiskClass(name).rank, stage)
        for loan, name, stage in connection.execute(repository.BEFORE, (before,))
    }
    alerts: dict[str, int] = dict(connection.execute(repository.ALERTS, {"end": end}).fetchall())
    loans = [named[code] for code in told.book.loan.tolist()]
    unknown = (NOT_KNOWN, NOT_KNOWN)
    pairs = np.array([was.get(loan, unknown) for loan in loans], dtype=np.int8).reshape(-1, 2)
    ranks: NDArray[np.int8] = np.array([alerts.get(loan, 0) for loan in loans], dtype=np.int8)
    return replace(told, before=Before(pairs[:, 0], pairs[:, 1]), alert_rank=ranks)


def rows_of(judged: Judged, told: Told, named: Mapping[int, str], digest: str) -> list[Row]:
    """A book's proposals as they are stored."""
    by_class, by_stage = judged.classes.decisive(), judged.stages.decisive()
    book, kept = told.book, judged.conduct
    columns: dict[str, NDArray[np.integer[Any]]] = {
        "subject_id": book.subject, "stage": judged.stage, "dpd": book.dpd, "balance_fen": book.balance, "ecl_fen": judged.ecl,
        "ecl_year_fen": judged.year, "ecl_life_fen": judged.life, "months_clean": kept.months, "periods_kept": kept.periods,
    }  # fmt: skip
    plain = {column: values.tolist() for column, values in columns.items()}
    return [
        {
            **{column: values[row] for column, values in plain.items()}, "loan": named[code],
            **_texts(judged, told, row, digest),
            "evidence": evidence_of([*by_class[row], *by_stage[row]], judged.values, row),
        }
        for row, code in enumerate(book.loan.tolist())
    ]  # fmt: skip


def _texts(judged: Judged, told: Told, row: int, digest: str) -> dict[str, Any]:
    return {
        "proposed": CLASSES[judged.rank[row]].value, "raised": CLASSES[judged.raised_rank[row]].value,
        "held_by": judged.held_by(row), "alert_level": LEVELS[told.alert_rank[row]], "left_by": "",
        "segment": judged.segments[judged.segment[row]].code, "parameters": digest,
    }  # fmt: skip


_WRITTEN_OFF = [{"code": "charge_off", "rule": "REG-RC-04", "zh": "已核销。", "en": "Charged off."}]


def left_rows(
    tables: Tables, book: WholeBook, named: Mapping[int, str], before: Sequence[tuple[Any, ...]], end: int, digest: str
) -> list[Row]:  # fmt: skip
    """Loans that were on the book a month before and are not any more, and why."""
    here = {named[code] for code in book.loan.tolist()}
    gone = [(loan, subject) for loan, subject in before if loan not in here]
    if not gone:
        return []
    whole = whole_book(tables, end)
    off = whole.take(whole.state == STATES.index(State.CHARGED_OFF))
    written_off = set(off.loan.tolist())
    return [_left(loan, subject, digest, lost=code_of(loan) in written_off) for loan, subject in gone]


def _left(loan: str, subject: int, digest: str, *, lost: bool) -> Row:
    name = RiskClass.LOSS if lost else RiskClass.NORMAL
    zero = dict.fromkeys(("dpd", "balance_fen", "ecl_fen", "ecl_year_fen", "ecl_life_fen", "months_clean", "periods_kept"), 0)  # fmt: skip
    return {
        **zero, "loan": loan, "subject_id": subject, "proposed": name.value, "raised": name.value, "held_by": "",
        "stage": 3 if lost else 1, "alert_level": None, "left_by": "written_off" if lost else "repaid", "segment": "",
        "evidence": _WRITTEN_OFF if lost else [], "parameters": digest,
    }  # fmt: skip


def _summary(month: str, rows: Sequence[Row], changed: int, judged: Judged, digest: str) -> Proposed:
    here = [row for row in rows if not row["left_by"]]
    left = [row["left_by"] for row in rows if row["left_by"]]
    return Proposed(
        month, len(here), changed, {name.value: sum(row["proposed"] == name.value for row in here) for name in RiskClass},
        {str(stage): sum(row["stage"] == stage for row in here) for stage in STAGES}, int(judged.ecl.sum()),
        {name: left.count(name) for name in ("repaid", "written_off")},
        {code: count for code, count in judged.skipped.items() if count}, digest,
    )  # fmt: skip
