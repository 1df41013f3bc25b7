"""The dataset ``conduct_event``: what only a join shows of the money around a loan.

Each event is known from the last record that proves it, so that a reader as of an earlier moment does not see it. Its
key is the loan, the kind and the drawdown or repayment that it is about: derived again after later records came, it
corrects itself. What it takes for an event is wide; how much is too much is for the signals to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.calendar import DAY, NEVER, NULL
from features.canonical import code_of
from features.loans.model import Kind
from features.loans.rows import KINDS, Records
from features.timeline.events import EventTable, RawEvents, joined, mix

Int64 = NDArray[np.int64]
DATASET = "conduct_event"
READS = ("bank_transaction",)
"""Beside the loan book."""
_COMES_BACK, _SPREADS, _PAYS_FOR, _ALIKE, _BESIDE = 30 * DAY, 3 * DAY, 3 * DAY, 30 * DAY, 7 * DAY
_RECEIVED, _SENT = ("transfer", "cash"), ("transfer", "trade")
"""Kinds of transactions that move a loan's money about; wages, bills and automatic payments do not."""
_MOST_OF_IT = 0.5
"""The share of a loan that must go to one payee, or be repaid at once, to be called its use or its repayment."""
_COVERS = 0.9
"""The share of an instalment that a payment received must reach to have paid it."""
_SQL = {
    # Money that went out after the drawdown and came back from those it went to, never more than went there.
    "backflow": f"""
        WITH gone AS (
            SELECT d.loan, d.at, d.known AS told, t.other, min(t.at) AS first, sum(t.amount) AS paid, max(t.known) AS known
            FROM drawn d JOIN tx t ON t.subject = d.subject AND NOT t.inward AND t.at > d.at AND t.at <= d.at + {_COMES_BACK}
            GROUP BY ALL),
        back AS (
            SELECT g.loan, g.at, g.other, least(g.paid, sum(t.amount)) AS amount, greatest(g.told, g.known, max(t.known)) AS known
            FROM gone g JOIN drawn d ON d.loan = g.loan AND d.at = g.at
            JOIN tx t ON t.subject = d.subject AND t.inward AND t.other = g.other AND t.at > g.first AND t.at <= g.at + {_COMES_BACK}
            GROUP BY g.loan, g.at, g.other, g.paid, g.told, g.known)
        SELECT b.loan, b.at, sum(b.amount) AS amount, count(*) AS parties, max(b.known) AS known FROM back b GROUP BY b.loan, b.at""",  # noqa: S608 - here and below constants of this module
    # Money that left within days of the drawdown, and to how many.
    "split": f"""
        SELECT d.loan, d.at, sum(t.amount) AS amount, count(DISTINCT t.other) AS parties, greatest(d.known, max(t.known)) AS known
        FROM drawn d JOIN tx t ON t.subject = d.subject AND NOT t.inward AND t.at > d.at AND t.at <= d.at + {_SPREADS}
        GROUP BY d.loan, d.at, d.known HAVING count(DISTINCT t.other) > 1""",  # noqa: S608
    # Most of a loan to one payee, and how many borrowers paid theirs to the same within a month.
    "shared_payee": f"""
        WITH uses AS (
            SELECT d.loan, d.subject, d.at, t.other, sum(t.amount) AS amount, greatest(d.known, max(t.known)) AS known
            FROM drawn d JOIN tx t ON t.subject = d.subject AND NOT t.inward AND t.at > d.at AND t.at <= d.at + {_SPREADS}
            GROUP BY d.loan, d.subject, d.at, d.amount, d.known, t.other HAVING sum(t.amount) >= {_MOST_OF_IT} * d.amount)
        SELECT u.loan, u.at, max(u.amount) AS amount, count(DISTINCT o.subject) AS parties, max(o.known) AS known
        FROM uses u JOIN uses o ON o.other = u.other AND abs(o.at - u.at) <= {_ALIKE}
        GROUP BY u.loan, u.at HAVING count(DISTINCT o.subject) > 1""",  # noqa: S608
    # A payment received that covers an instalment, and for how many loans the same payer did so within a month.
    "shared_payer": f"""
        WITH helped AS (
            SELECT p.loan, p.at, t.other, max(p.amount) AS amount, greatest(max(p.known), max(t.known)) AS known
            FROM paid p JOIN tx t ON t.subject = p.subject AND t.inward AND t.at <= p.at AND t.at > p.at - {_PAYS_FOR}
                AND t.amount >= {_COVERS} * p.amount
            GROUP BY p.loan, p.at, t.other)
        SELECT h.loan, h.at, max(h.amount) AS amount, count(DISTINCT o.loan) AS parties, max(o.known) AS known
        FROM helped h JOIN helped o ON o.other = h.other AND abs(o.at - h.at) <= {_ALIKE}
        GROUP BY h.loan, h.at HAVING count(DISTINCT o.loan) > 1""",  # noqa: S608
    # Most of a loan repaid at once within days of another loan's drawdown by the same borrower.
    "refinanced": f"""
        SELECT p.loan, p.at, max(p.amount) AS amount, count(DISTINCT d.loan) AS parties, greatest(max(p.known), max(d.known)) AS known
        FROM paid p JOIN drawn d ON d.subject = p.subject AND d.loan <> p.loan AND abs(d.at - p.at) <= {_BESIDE}
        WHERE p.amount >= {_MOST_OF_IT} * p.lent AND p.amount > 0 GROUP BY p.loan, p.at""",  # noqa: S608
}  # fmt: skip


def conduct_events(tables: Mapping[str, EventTable], as_of: int, version: int) -> RawEvents:
    """Every event that what was known at ``as_of`` proves; amounts in fen, shares of the drawdown in millionths.

    A loan that was drawn twice has an event a drawdown. A transaction without a counterparty proves nothing.
    """
    records = Records(tables, as_of)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("tx", _transactions(tables["bank_transaction"].visible(as_of), as_of))
        connection.register("drawn", _happened(records, Kind.DRAWDOWN))
        connection.register("paid", _happened(records, Kind.PAYMENT))
        found = {kind: connection.execute(sql).fetchnumpy() for kind, sql in _SQL.items()}
    drawn = _happened(records, Kind.DRAWDOWN)
    lent = dict(zip(drawn["loan"].to_pylist(), drawn["amount"].to_pylist(), strict=True))
    owner = dict(zip(records.loans.loan.tolist(), records.loans.subject.tolist(), strict=True))
    parts = [_events(kind, rows, lent, owner, version) for kind, rows in found.items()]
    whole = parts[0]
    for part in parts[1:]:
        whole = joined(whole, part)
    return whole


def _transactions(seen: EventTable, as_of: int) -> pa.Table:
    c = seen.columns
    inward = c["direction"] == code_of("in")
    moves = np.where(inward, _of(c["kind"], _RECEIVED), _of(c["kind"], _SENT))
    kept = moves & (c["counterparty"] != NULL) & (c["amount"] != NULL) & (c["failed"] != 1)
    kept &= seen.valid_from <= as_of
    return pa.table({
        "subject": seen.subject[kept], "at": seen.valid_from[kept], "known": seen.known_from[kept],
        "inward": inward[kept], "amount": c["amount"][kept], "other": c["counterparty"][kept],
    })  # fmt: skip


def _of(kinds: Int64, names: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.isin(kinds, [code_of(name) for name in names])


def _happened(records: Records, kind: Kind) -> pa.Table:
    events, loans = records.events, records.loans
    kept = events.take((events.kind == KINDS.index(kind)) & (events.at <= records.as_of))
    place = np.searchsorted(loans.loan, kept.loan)
    return pa.table({
        "loan": kept.loan, "subject": loans.subject[place], "at": kept.at, "known": kept.known_from,
        "amount": kept.amount, "lent": loans.limit[place],
    })  # fmt: skip


def _events(
    kind: str, rows: Mapping[str, Any], lent: Mapping[int, int], owner: Mapping[int, int], version: int
) -> RawEvents:
    order = np.lexsort((rows["at"], rows["loan"]))
    names = ("loan", "at", "amount", "parties", "known")
    loan, at, amount, parties, known = (_whole(rows[name])[order] for name in names)
    of = np.array([max(lent.get(one, 0), 1) for one in loan.tolist()], dtype=np.float64)
    columns: dict[str, Int64] = {
        "loan_id": loan, "kind": np.full(len(loan), code_of(kind)), "happened_at": at, "amount": amount,
        "share": np.round(amount / of * 1e6).astype(np.int64), "parties": parties, "published_at": known,
    }  # fmt: skip
    subject = np.array([owner[one] for one in loan.tolist()], dtype=np.int64)
    key = mix([columns[name] for name in ("loan_id", "kind", "happened_at")])
    never, versions = np.full(len(loan), NEVER), np.full(len(loan), version)
    return RawEvents(subject, at, never, known, versions, key, columns)


def _whole(column: Any) -> Int64:
    """A column of the join, whose sums may come as decimals."""
    return np.asarray(np.asarray(column, dtype=np.float64) if column.dtype == object else column).astype(
        np.int64
    )
