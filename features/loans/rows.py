"""The book's records as columns, whichever dataset told them.

``loan``, ``loan_instalment`` and ``loan_payment`` are a bank's plain feeds; ``loan_grant``, ``loan_event`` and
``loan_schedule`` say what those cannot. A loan may be told by either, or by both. Ids of events are codes, so that
events of one instant have an order that every reader finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.calendar import CHINA_OFFSET, DAY, NEVER, NULL
from features.canonical import code_of
from features.loans.model import Kind
from features.timeline.events import EventTable, empty_table

Int64 = NDArray[np.int64]
PLAIN = ("loan", "loan_instalment", "loan_payment")
"""The datasets that a bank has anyway."""
BY_PART = ("loan_grant", "loan_event", "loan_schedule")
BOOK = (*PLAIN, *BY_PART)
"""The datasets of the loan book."""
CNY = code_of("CNY")
DRAWDOWN, CHARGE_OFF = code_of("drawdown"), code_of("charge_off")
"""The ids of what the dataset ``loan`` tells by its own columns."""
KINDS = tuple(Kind)
"""A kind's number is its place here, which is also its rank among events of one instant."""
_SAFE = 2.0**62
_ENDED = [code_of(state) for state in ("settled", "restructured", "refinanced", "charged_off")]
_CODES = {code_of(kind): number for number, kind in enumerate(KINDS)}
_FIELDS = {
    "loan": ("loan_id", "granted_at", "drawn_at", "due_on", "ended_at", "principal", "state"),
    "loan_instalment": ("loan_id", "number", "due_on", "due_amount"),
    "loan_payment": ("loan_id", "number", "paid_at", "amount"),
    "loan_grant": ("loan_id", "granted_at", "limit", "currency"),
    "loan_event": ("loan_id", "event_id", "kind", "happened_at", "amount", "currency", "days"),
    "loan_schedule": ("loan_id", "event_id", "number", "due_on", "principal", "interest", "fee"),
}


@dataclass(frozen=True, slots=True)
class Loans:
    """One row a loan, sorted by its code. ``ended``: the bank's feed says that it has ended, by a state that a
    charge-off is one of; ``drawn_at`` and ``due_on`` (the end) are that feed's, ``NULL`` where it tells none.
    """

    loan: Int64
    subject: Int64
    granted_at: Int64
    limit: Int64
    currency: Int64
    drawn_at: Int64
    due_on: Int64
    ended: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Events:
    """Sorted by loan, instant, kind and id; only loans that are known."""

    loan: Int64
    id: Int64
    kind: Int64
    at: Int64
    known_from: Int64
    known_to: Int64
    amount: Int64
    currency: Int64
    days: Int64

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Events:
        """The chosen rows."""
        return Events(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Lines:
    """Sorted by loan, event and number; ``day`` counts days of China."""

    loan: Int64
    event: Int64
    number: Int64
    day: Int64
    principal: Int64
    interest: Int64
    fee: Int64

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Lines:
        """The chosen rows."""
        return Lines(*(getattr(self, name)[rows] for name in self.__slots__))


class Records:
    """What was known of the book at a moment; datasets that are not there hold nothing."""

    def __init__(self, tables: Mapping[str, EventTable], as_of: int) -> None:
        empty = {name: empty_table(fields) for name, fields in _FIELDS.items()}
        self._seen = {name: tables.get(name, empty[name]).visible(as_of) for name in BOOK}
        self.as_of = as_of

    @cached_property
    def loans(self) -> Loans:
        """Of a loan that several rows tell, what the last known of them tells."""
        plain, given = self._seen["loan"], self._seen["loan_grant"]
        rows = _last_of_each(plain, "loan_id")
        plain = plain.take(rows)
        given = given.take(_last_of_each(given, "loan_id"))
        new = given.take(~np.isin(given.columns["loan_id"], plain.columns["loan_id"]))
        loan = np.concatenate([plain.columns["loan_id"], new.columns["loan_id"]])
        order = np.argsort(loan, kind="stable")
        count = len(new)

        def both(one: Int64, other: Int64) -> Int64:
            return np.concatenate([one, other])[order]

        found = Loans(
            loan[order],
            both(plain.subject, new.subject),
            both(plain.columns["granted_at"], new.columns["granted_at"]),
            both(plain.columns["principal"], new.columns["limit"]),
            both(np.full(len(plain), CNY), new.columns["currency"]),
            both(plain.columns["drawn_at"], np.full(count, NULL)),
            both(plain.columns["due_on"], np.full(count, NULL)),
            np.isin(both(plain.columns["state"], np.full(count, NULL)), _ENDED),
        )
        return _granted(found, given)

    @cached_property
    def events(self) -> Events:
        """All that happened, and what the plain feeds say of it without calling it an event."""
        parts = [self._drawn(), self._charged_off(), self._paid(), self._told()]
        found = Events(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        found = found.take((places(self.loans.loan, found.loan) >= 0) & (found.kind >= 0))
        own = self.loans.currency[places(self.loans.loan, found.loan)]
        found = replace(found, currency=np.where(found.currency == NULL, own, found.currency))
        return found.take(np.lexsort((found.id, found.kind, found.at, found.loan)))

    @cached_property
    def lines(self) -> Lines:
        """Schedules; one by part stands instead of the plain feed's amounts for the same drawdown."""
        given = self._seen["loan_schedule"]
        c = given.columns
        parts = [np.where(c[name] == NULL, 0, c[name]) for name in ("principal", "interest", "fee")]
        by_part = Lines(c["loan_id"], c["event_id"], c["number"], _days(c["due_on"]), *parts)
        found = _joined(by_part, self._split(np.unique(by_part.loan[by_part.event == DRAWDOWN])))
        return found if _in_order(found) else found.take(np.lexsort((found.number, found.event, found.loan)))

    def _split(self, own: Int64) -> Lines:
        """Lines of the plain feed, which gives what is due, not of what: principal in proportion, the rest is interest.

        Instalments that do not cover the principal are all principal, and what they leave is due when the loan ends.
        ``own`` are loans whose lines are told by part.
        """
        c = self._seen["loan_instalment"].columns
        kept = ~np.isin(c["loan_id"], own) & (places(self.loans.loan, c["loan_id"]) >= 0)
        loan, number, day, due = (c[name][kept] for name in ("loan_id", "number", "due_on", "due_amount"))
        order = np.lexsort((number, loan))
        loan, number, day, due = loan[order], number[order], _days(day[order]), due[order]
        at = places(self.loans.loan, loan)
        covered = np.zeros(len(self.loans.loan), dtype=np.int64)
        heads = np.flatnonzero(np.diff(at, prepend=-1))
        if len(heads):
            covered[at[heads]] = np.add.reduceat(due, heads)
        principal = _shares(due, covered[at], np.minimum(self.loans.limit, covered)[at], at)
        zero = np.zeros_like(loan)
        told = Lines(loan, np.full(len(loan), DRAWDOWN), number, day, principal, due - principal, zero)
        return _joined(told, self._rest(covered, own))

    def _rest(self, covered: Int64, own: Int64) -> Lines:
        loans = self.loans
        short = (loans.limit > covered) & (loans.due_on != NULL) & (loans.drawn_at != NULL)
        rows = np.flatnonzero(short & ~np.isin(loans.loan, own))
        zero = np.zeros(len(rows), dtype=np.int64)
        return Lines(
            loans.loan[rows], zero + DRAWDOWN, zero + NEVER, _days(loans.due_on[rows]), (loans.limit - covered)[rows],
            zero, zero,
        )  # fmt: skip

    def _drawn(self) -> list[Int64]:
        seen = self._seen["loan"]
        rows = seen.take(seen.columns["drawn_at"] != NULL)
        return _event(rows, DRAWDOWN, Kind.DRAWDOWN, rows.columns["drawn_at"], rows.columns["principal"])

    def _charged_off(self) -> list[Int64]:
        seen = self._seen["loan"]
        c = seen.columns
        drawn = c["drawn_at"] != NULL
        rows = seen.take(drawn & (c["state"] == code_of("charged_off")) & (c["ended_at"] != NULL))
        nothing = np.zeros(len(rows), dtype=np.int64)
        return _event(rows, CHARGE_OFF, Kind.CHARGE_OFF, rows.columns["ended_at"], nothing)

    def _paid(self) -> list[Int64]:
        rows = self._seen["loan_payment"]
        c = rows.columns
        found = _event(rows, 0, Kind.PAYMENT, c["paid_at"], c["amount"])
        found[1] = c["number"]
        return found

    def _told(self) -> list[Int64]:
        rows = self._seen["loan_event"]
        c = rows.columns
        kind = np.array([_CODES.get(code, -1) for code in c["kind"].tolist()], dtype=np.int64)
        zero = {name: np.where(c[name] == NULL, 0, c[name]) for name in ("amount", "days")}
        return [
            c["loan_id"], c["event_id"], kind, c["happened_at"], rows.known_from, rows.known_to, zero["amount"],
            c["currency"], zero["days"],
        ]  # fmt: skip


def _shares(due: Int64, of: Int64, wanted: Int64, group: Int64) -> Int64:
    """``wanted`` of each group in proportion to ``due``, which sums to ``of``; no line gets more than is due on it."""
    total = np.cumsum(due)
    start = np.ones(len(group), dtype=bool)
    start[1:] = group[1:] != group[:-1]
    before = np.maximum.accumulate(np.where(start, np.arange(len(group)), 0))
    upto = total - (total - due)[before]
    fits = upto.astype(float) * wanted < _SAFE
    divisor = np.maximum(of, 1)
    share = np.where(fits, upto, 0) * np.where(fits, wanted, 0) // divisor
    for row in np.flatnonzero(~fits).tolist():
        share[row] = int(upto[row]) * int(wanted[row]) // int(divisor[row])
    return np.where(start, share, np.diff(share, prepend=0))


def _in_order(lines: Lines) -> bool:
    """Whether they stand by loan, event and number, as those of the plain feed alone do."""
    loan, event, number = (np.diff(one) for one in (lines.loan, lines.event, lines.number))
    return bool(((loan > 0) | ((loan == 0) & ((event > 0) | ((event == 0) & (number >= 0))))).all())


def _joined(one: Lines, other: Lines) -> Lines:
    if not len(other.loan) or not len(one.loan):
        return one if len(one.loan) else other
    return Lines(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in Lines.__slots__))


def places(sorted_codes: Int64, wanted: Int64) -> Int64:
    """Where each wanted code stands, -1 where it does not."""
    if not len(sorted_codes):
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(sorted_codes, wanted), len(sorted_codes) - 1)
    return np.where(sorted_codes[at] == wanted, at, -1)


def _event(rows: EventTable, name: int, kind: Kind, at: Int64, amount: Int64) -> list[Int64]:
    """The columns of ``Events``, in the loan's own currency."""
    n = len(rows)
    ids, number = np.full(n, name), np.full(n, KINDS.index(kind))
    loan = rows.columns["loan_id"]
    return [
        loan,
        ids,
        number,
        at,
        rows.known_from,
        rows.known_to,
        amount,
        np.full(n, NULL),
        np.zeros(n, np.int64),
    ]


def _granted(loans: Loans, given: EventTable) -> Loans:
    """Where a grant is told, its date, limit and currency stand."""
    at = places(loans.loan, given.columns["loan_id"])
    granted, limit, currency = loans.granted_at.copy(), loans.limit.copy(), loans.currency.copy()
    granted[at], limit[at] = given.columns["granted_at"], given.columns["limit"]
    currency[at] = given.columns["currency"]
    currency[currency == NULL] = CNY
    return Loans(
        loans.loan, loans.subject, granted, limit, currency, loans.drawn_at, loans.due_on, loans.ended
    )


def _last_of_each(table: EventTable, name: str) -> NDArray[np.intp]:
    """The row of each code that was known last."""
    order = np.lexsort((table.version, table.known_from, table.columns[name]))
    codes = table.columns[name][order]
    last = np.ones(len(codes), dtype=bool)
    last[:-1] = codes[1:] != codes[:-1]
    return order[last]


def _days(moments: Int64) -> Int64:
    """Days of China of instants."""
    return (moments + CHINA_OFFSET) // DAY
