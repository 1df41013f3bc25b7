"""The bank's own feeds: applications, loans with their states, instalments, payments, confirmed fraud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import DAY
from features.city.book import Applications
from features.city.latent import Emissions, Lives
from features.city.parameters import FRAUD_TOLD
from features.city.text import People, date_text, id_text, instant_text

Ints = NDArray[np.int64]
Table = dict[str, Any]
HOUR = 3_600_000_000
RATE_PPM = 110_000
STATES = np.array(["settled", "restructured", "charged_off"])
SETTLED, RESTRUCTURED, CHARGED_OFF = range(3)


class City(Protocol):
    """What the bank's feeds need to know of the city."""

    lives: Lives
    emitted: Emissions
    people: People
    months: int
    starts: Ints
    g: np.random.Generator

    def day(self, month: Ints, day: Ints | int, hour: Ints | int = 9) -> Ints:
        """Instant of a day and hour of a month."""


def book_feeds(city: City, a: Applications) -> dict[str, Table]:
    """The feeds by dataset."""
    return _Lending(city, a).feeds()


@dataclass(frozen=True, slots=True)
class _Lending:
    city: City
    a: Applications

    def feeds(self) -> dict[str, Table]:
        return {
            "application": self._applications(), "fraud_confirmed": self._frauds(), "loan": self._loans(),
            **self._schedule(),
        }  # fmt: skip

    @property
    def _number(self) -> NDArray[np.str_]:
        return np.asarray(self.city.people.heads[self.a.person])

    @property
    def _applied(self) -> Ints:
        return self.city.day(self.a.month, 26 + self.a.person % 2, 10)

    def _applications(self) -> Table:
        a = self.a
        return {
            "id_number": self._number, "application_id": _application_id(np.arange(len(a.person))),
            "applied_at": instant_text(self._applied), "amount": a.amount, "term_months": a.term,
            "purpose": np.array(["farming", "working_capital", "equipment", "consumption"])[a.person % 4],
            "outcome": np.where(a.approved, "approved", "refused"), "stream": np.where(a.random, "random", "policy"),
        }  # fmt: skip

    def _frauds(self) -> Table:
        a = self.a
        told = a.month + 1 + FRAUD_TOLD
        known = self.city.lives.fraud[a.person] & a.approved & a.drawn & (told < self.city.months)
        rows = np.flatnonzero(known)
        return {
            "id_number": self._number[rows], "application_id": _application_id(rows),
            "confirmed_at": instant_text(self.city.day(told[rows], 20)),
        }  # fmt: skip

    def _loans(self) -> Table:
        """Each granted loan as it began and, where it ended in time, as it ended."""
        a, city = self.a, self.city
        rows = np.flatnonzero(a.approved)
        began = self._applied[rows] + DAY
        ended = np.where(
            a.paid[rows] < a.term[rows],
            city.day(a.month[rows] + 1 + a.paid[rows] + np.where(a.restructured[rows], 1, 6), 20),
            city.day(a.month[rows] + a.paid[rows], 21),
        )
        state = np.where(a.restructured[rows], RESTRUCTURED, CHARGED_OFF)
        state = np.where(a.paid[rows] < a.term[rows], state, SETTLED)
        later = np.flatnonzero(a.drawn[rows] & (ended < int(city.starts[city.months])))
        first = self._loan(rows, np.full(len(rows), "active"), began, pa.array(np.full(len(rows), "")))
        end = ended[later]
        second = self._loan(rows[later], STATES[state[later]], end, instant_text(end))
        return {name: pa.concat_arrays([pa.array(first[name]), pa.array(second[name])]) for name in first}

    def _loan(self, rows: Ints, state: NDArray[np.str_], told: Ints, ended: pa.Array) -> Table:
        a = self.a
        drawn = instant_text(self._applied[rows] + DAY)
        return {
            "id_number": self._number[rows], "loan_id": _loan_id(rows), "application_id": _application_id(rows),
            "granted_at": instant_text(self._applied[rows]),
            "drawn_at": pc.if_else(pa.array(a.drawn[rows]), drawn, ""),
            "due_on": date_text(self.city.day(a.month[rows] + a.term[rows], 5, 0)), "ended_at": ended,
            "principal": a.amount[rows], "annual_rate_ppm": np.full(len(rows), RATE_PPM),
            "term_months": a.term[rows], "state": state, "published_at": instant_text(told),
        }  # fmt: skip

    def _schedule(self) -> dict[str, Table]:
        """Instalments of drawn loans, and the payments that were made until the city's last month."""
        a, city = self.a, self.city
        drawn = np.flatnonzero(a.approved & a.drawn)
        owner = np.repeat(drawn, a.term[drawn])
        first = np.cumsum(a.term[drawn]) - a.term[drawn]
        count = np.arange(len(owner)) - np.repeat(first, a.term[drawn]) + 1
        amount = np.round(a.amount[owner] * (1 / a.term[owner] + 0.005), 2)
        due = city.day(a.month[owner] + count, 5, 0)
        instalments: Table = {
            "id_number": self._number[owner], "loan_id": _loan_id(owner), "number": count, "due_on": date_text(due),
            "due_amount": amount, "published_at": instant_text(self._applied[owner] + DAY),
        }  # fmt: skip
        is_late = city.emitted.late[a.person[owner], np.minimum(a.month[owner] + count, city.months - 1)]
        late = np.where(is_late, city.g.integers(1, 16, len(owner)), 0)
        paid_at = due + late * DAY + 9 * HOUR
        done = np.flatnonzero((count <= a.paid[owner]) & (paid_at < int(city.starts[city.months])))
        payments: Table = {
            "id_number": self._number[owner[done]], "loan_id": _loan_id(owner[done]), "number": count[done],
            "paid_at": instant_text(paid_at[done]), "amount": amount[done], "days_late": late[done],
        }  # fmt: skip
        return {"loan_instalment": instalments, "loan_payment": payments}


def _application_id(rows: Ints) -> pa.Array:
    return id_text("APP", rows)


def _loan_id(rows: Ints) -> pa.Array:
    return id_text("LN", rows)
