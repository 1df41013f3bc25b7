"""What the departments send: columns of text and numbers for each contract, as publishable rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import DAY, month_start
from features.city.book import Applications
from features.city.latent import Attributes, Emissions, Lives
from features.city.parameters import LAGS, START
from features.identity.numbers import person_check_digit, uscc_check_digit

Ints = NDArray[np.int64]
Table = dict[str, Any]
HOUR = 3_600_000_000
CHINA = 8 * HOUR


@dataclass(frozen=True, slots=True)
class People:
    """Identity numbers of the heads and their households' other members."""

    heads: NDArray[np.str_]
    members: NDArray[np.str_]
    member_of: Ints


class Writer:
    """Builds the feeds of one city; ``g`` draws what carries no information (ids, days, amounts' bases)."""

    def __init__(
        self, lives: Lives, known: Attributes, emitted: Emissions, months: int, g: np.random.Generator
    ) -> None:
        self.lives, self.known, self.emitted, self.months, self.g = lives, known, emitted, months, g
        first = np.datetime64(START, "M").astype(int)
        self.starts = month_start(np.arange(first, first + months + 60))
        self.people = _people(len(lives.kind), g)
        self.base = g.lognormal(8.4, 0.3, len(lives.kind))

    def feeds(self, applications: Applications) -> dict[str, Table]:
        """Every dataset's columns."""
        return {
            "population_register": self._register(), "social_insurance": self._social(),
            "tax_filing": self._tax(), "electricity": self._power(), "court_case": self._court(),
            "business_registration": self._firms(), "real_estate": self._homes(), "vehicle": self._vehicles(),
            "bureau_account": self._accounts(), "bureau_repayment": self._repayments(),
            "bureau_enquiry": self._enquiries(), "bank_transaction": self._bank(), **self._book(applications),
        }  # fmt: skip

    def day(self, month: Ints, day: Ints | int, hour: Ints | int = 9) -> Ints:
        """Instant of a day and hour of a month (counted from the city's first)."""
        return np.asarray(
            self.starts[month] + (np.asarray(day) - 1) * DAY + np.asarray(hour) * HOUR, dtype=np.int64
        )

    def _published(self, source: str, chosen: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
        """(person, month, publication) of a source's chosen records that are told within the city's time."""
        lag = self.emitted.lag[source]
        told = chosen & (lag < LAGS) & (np.arange(self.months)[None, :] + lag < self.months)
        person, month = np.nonzero(told)
        days = (
            self.g.integers(18, 26, len(person))
            if source != "bureau_repayment"
            else self.g.integers(8, 12, len(person))
        )
        return person, month, self.day(month + lag[person, month], days, self.g.integers(8, 18, len(person)))

    def _register(self) -> Table:
        p, n = self.people, len(self.people.heads)
        number = np.concatenate([p.heads, p.members])
        house = np.concatenate([np.arange(n), p.member_of])
        since = self.g.integers(1990, 2019, n)
        role = np.array(["spouse", "child", "parent"])[np.arange(len(p.members)) % 3]
        return {
            "id_number": number, "household_no": _ids("H", house), "role": np.concatenate([np.full(n, "head"), role]),
            "birth_date": _birth(number), "village": _ids("V", house % 60),
            "registered_since": [f"{year}-06-01" for year in since[house]],
            "published_at": _instants(np.full(len(number), self.starts[0])),
        }  # fmt: skip

    def _social(self) -> Table:
        person, month, out = self._published(
            "social_insurance", self.emitted.ss_paid & self.known.employed[:, None]
        )
        return {
            "id_number": self.people.heads[person], "period": _months(self.starts[month]),
            "base": np.round(self.base[person], 2), "employer": _ids("E", person % 700),
            "status": np.full(len(person), "paid"), "published_at": _instants(out),
        }  # fmt: skip

    def _tax(self) -> Table:
        everyone = np.broadcast_to(self.known.trader[:, None], self.emitted.ss_paid.shape)
        person, month, out = self._published("tax_filing", everyone)
        season = 1 + 0.25 * np.sin((month % 12) / 12 * 2 * np.pi)
        sales = np.round(self.base[person] * 3 * season, 2)
        status = np.array(["on_time", "late", "arrears"])[self.emitted.tax_status[person, month]]
        table = {
            "id_number": self.people.heads[person], "period": _months(self.starts[month]), "sales": sales,
            "tax": np.round(sales * 0.03, 2), "status": status, "published_at": out,
        }  # fmt: skip
        wrong = np.flatnonzero(
            (self.g.random(len(person)) < 0.02) & (out + 30 * DAY < self.starts[self.months])
        )
        corrected = {name: np.asarray(column)[wrong] for name, column in table.items()}
        corrected["published_at"] = out[wrong] + 20 * DAY
        table["sales"] = np.where(np.isin(np.arange(len(person)), wrong), np.round(sales * 1.4, 2), sales)
        joined: Table = {name: np.concatenate([np.asarray(table[name]), corrected[name]]) for name in table}
        joined["published_at"] = _instants(joined["published_at"])
        return joined

    def _power(self) -> Table:
        everyone = np.broadcast_to(self.known.metered[:, None], self.emitted.ss_paid.shape)
        person, month, out = self._published("electricity", everyone)
        kva = np.array([4.0, 6.0, 8.0, 12.0])[person % 4]
        load = np.exp(self.emitted.load[person, month])
        season = 1 + 0.3 * np.cos((month % 12 - 6) / 12 * 4 * np.pi)
        kwh = np.round(load * kva * 100 * season, 1)
        return {
            "id_number": self.people.heads[person], "meter": _ids("M", person), "month": _months(self.starts[month]),
            "kwh": kwh, "contract_kva": kva, "load_ratio": np.round(load, 6), "bill": np.round(kwh * 0.56, 2),
            "paid_on_time": self.emitted.bill_on_time[person, month].astype(int), "published_at": _instants(out),
        }  # fmt: skip

    def _court(self) -> Table:
        person, month, out = self._published("court_case", self.emitted.court > 0)
        times = self.emitted.court[person, month]
        person, month, out = (np.repeat(array, times) for array in (person, month, out))
        kind = np.array(["civil", "loan", "enforcement", "dishonest"])[self.emitted.court_kind[person, month]]
        return {
            "id_number": self.people.heads[person], "case_id": _ids("C", np.arange(len(person))),
            "filed_on": _dates(self.day(month, 10, 0)), "closed_on": np.full(len(person), ""),
            "amount": np.round(self.g.lognormal(9.5, 0.8, len(person)), 2), "kind": kind, "published_at": _instants(out),
        }  # fmt: skip

    def _owned(self, has: NDArray[np.bool_], salt: str, low: float) -> Table:
        person = np.flatnonzero(has)
        since = self.starts[0] - self.g.integers(100, 4000, len(person)) * DAY
        return {
            "id_number": self.people.heads[person], salt: _ids(salt[:1].upper(), person),
            "registered_on": _dates(since), "value": np.round(self.g.lognormal(low, 0.5, len(person)), 2),
            "published_at": _instants(since + 2 * DAY),
        }  # fmt: skip

    def _homes(self) -> Table:
        table = self._owned(self.known.home, "parcel", 12.2)
        count = len(table["id_number"])
        return table | {"sold_on": np.full(count, ""), "mortgaged": self.g.integers(0, 2, count)}

    def _vehicles(self) -> Table:
        table = self._owned(self.known.vehicle, "plate", 10.8)
        return table | {"deregistered_on": np.full(len(table["id_number"]), "")}

    def _firms(self) -> Table:
        owner = np.flatnonzero(self.known.firm)
        since = self.starts[0] - self.g.integers(60, 3000, len(owner)) * DAY
        industry = np.array(["retail", "farming", "transport", "services", "workshop"])[owner % 5]
        bodies = [f"92341600MA{place:07}" for place in range(len(owner))]
        return {
            "uscc": [body + uscc_check_digit(body) for body in bodies], "owner_id_number": self.people.heads[owner],
            "registered_on": _dates(since), "cancelled_on": np.full(len(owner), ""),
            "status": np.full(len(owner), "normal"), "capital": np.round(self.g.lognormal(11, 1, len(owner)), 2),
            "industry": industry, "published_at": _instants(since + DAY),
        }  # fmt: skip

    def _accounts(self) -> Table:
        person = np.flatnonzero(self.known.bureau)
        since = self.starts[0] - self.g.integers(30, 2500, len(person)) * DAY
        limit = np.round(self.g.lognormal(10, 0.6, len(person)), 2)
        use = np.round(self.g.random(len(person)), 6)
        return {
            "id_number": self.people.heads[person], "account": _ids("A", person), "opened_on": _dates(since),
            "closed_on": np.full(len(person), ""), "lender": _ids("L", person % 23),
            "lender_kind": np.array(["bank", "nonbank"])[(person % 5 == 0).astype(int)],
            "kind": np.array(["loan", "card"])[person % 2], "limit": limit, "balance": np.round(limit * use, 2),
            "utilisation": use, "overdue_amount": np.zeros(len(person)), "published_at": _instants(since + DAY),
        }  # fmt: skip

    def _repayments(self) -> Table:
        everyone = np.broadcast_to(self.known.bureau[:, None], self.emitted.ss_paid.shape)
        person, month, out = self._published("bureau_repayment", everyone)
        bucket = self.emitted.bureau_bucket[person, month]
        due = np.round(self.base[person] * 0.12, 2)
        return {
            "id_number": self.people.heads[person], "account": _ids("A", person), "month": _months(self.starts[month]),
            "dpd_bucket": bucket, "due": due, "paid": np.where(bucket > 0, 0.0, due), "published_at": _instants(out),
        }  # fmt: skip

    def _enquiries(self) -> Table:
        person, month = np.nonzero(self.emitted.enquiries > 0)
        times = self.emitted.enquiries[person, month]
        hard = len(np.repeat(person, times))
        noise = np.nonzero(self.g.random(self.emitted.enquiries.shape) < 0.05)
        person = np.concatenate([np.repeat(person, times), noise[0]])
        month = np.concatenate([np.repeat(month, times), noise[1]])
        reason = np.concatenate([
            np.array(["loan_approval", "card_approval"])[self.g.integers(0, 2, hard)],
            np.array(["post_loan", "self"])[self.g.integers(0, 2, len(noise[0]))],
        ])  # fmt: skip
        at = (
            self.day(month, self.g.integers(1, 24, len(person)), 0)
            + self.g.integers(8 * 3600, 18 * 3600, len(person)) * 1_000_000
        )
        return {
            "id_number": self.people.heads[person], "enquired_at": _instants(at),
            "lender": _ids("L", self.g.integers(0, 40, len(person))), "reason": reason,
            "published_at": _instants(at + DAY),
        }  # fmt: skip

    def _bank(self) -> Table:
        n, months = self.emitted.inflow.shape
        person, month = (array.ravel() for array in np.indices((n, months)))
        inflow, balance = np.exp(self.emitted.inflow).ravel(), np.exp(self.emitted.balance).ravel()
        fails = self.emitted.autopay_fail.ravel().astype(int)
        is_wage = self.known.employed[person]
        rows = (
            ("in", inflow, np.where(is_wage, "salary", "trade"), 6, balance * 1.2, np.zeros(n * months, int)),
            (
                "out",
                inflow * 0.5,
                np.where(person % 3 == 0, "cash", "bill"),
                14,
                balance,
                np.zeros(n * months, int),
            ),
            ("out", inflow * 0.1, np.full(n * months, "autopay"), 20, balance * 0.9, fails),
        )

        def stack(place: int) -> NDArray[Any]:
            return np.concatenate([np.broadcast_to(np.asarray(row[place]), n * months) for row in rows])

        who = np.tile(person, 3)
        return {
            "id_number": self.people.heads[who], "transaction_id": _ids("T", np.arange(len(who))),
            "booked_at": _instants(self.day(np.tile(month, 3), stack(3), 10)), "direction": stack(0),
            "amount": np.round(stack(1), 2), "kind": stack(2), "counterparty": _ids("P", who % 900),
            "balance_after": np.round(stack(4), 2), "failed": stack(5),
        }  # fmt: skip

    def _book(self, a: Applications) -> dict[str, Table]:
        number = self.people.heads[a.person]
        applied = self.day(a.month, 26 + a.person % 2, 10)
        ids, loan_ids = _ids("APP", np.arange(len(number))), _ids("LN", np.arange(len(number)))
        application: Table = {
            "id_number": number, "application_id": ids, "applied_at": _instants(applied), "amount": a.amount,
            "term_months": a.term, "purpose": np.array(["farming", "trade", "equipment", "consumption"])[a.person % 4],
            "outcome": np.where(a.approved, "approved", "refused"), "stream": np.where(a.random, "random", "policy"),
        }  # fmt: skip
        fraud = np.flatnonzero(
            self.lives.fraud[a.person] & a.approved & a.drawn & (a.month + 5 < self.months)
        )
        confirmed: Table = {
            "id_number": number[fraud], "application_id": ids.take(pa.array(fraud)),
            "confirmed_at": _instants(self.day(a.month[fraud] + 4, 20)),
        }  # fmt: skip
        granted = np.flatnonzero(a.approved)
        return {"application": application, "fraud_confirmed": confirmed} | self._loans(
            a, granted, ids, loan_ids, applied
        )

    def _loans(
        self, a: Applications, rows: Ints, ids: pa.Array, loan_ids: pa.Array, applied: Ints
    ) -> dict[str, Table]:
        end = int(self.starts[self.months])
        number = self.people.heads[a.person]
        drawn = a.drawn[rows]
        draw = applied[rows] + DAY
        due_last = self.day(a.month[rows] + a.term[rows], 5, 0)
        finished = self.day(a.month[rows] + a.paid[rows], 5) + DAY
        ruined = a.paid[rows] < a.term[rows]
        changed = np.where(
            ruined,
            self.day(a.month[rows] + 1 + a.paid[rows] + np.where(a.restructured[rows], 1, 6), 20),
            finished,
        )
        state = np.where(ruined, np.where(a.restructured[rows], "restructured", "charged_off"), "settled")
        first = _loan(
            number,
            ids,
            loan_ids,
            rows,
            applied,
            draw,
            drawn,
            due_last,
            a,
            np.full(len(rows), "active"),
            draw,
            None,
        )
        later = np.flatnonzero(drawn & (changed < end))
        second = _loan(
            number, ids, loan_ids, rows[later], applied, draw[later], drawn[later], due_last[later], a, state[later],
            changed[later], changed[later],
        )  # fmt: skip
        loans = {name: _join(first[name], second[name]) for name in first}
        owner = np.repeat(rows[drawn], a.term[rows[drawn]])
        count = (
            np.concatenate([np.arange(1, term + 1) for term in a.term[rows[drawn]]]) if len(owner) else owner
        )
        rate = np.round(a.amount[owner] * (1 / a.term[owner] + 0.005), 2)
        due_on = self.day(a.month[owner] + count, 5, 0)
        instalments: Table = {
            "id_number": number[owner], "loan_id": loan_ids.take(pa.array(owner)), "number": count,
            "due_on": _dates(due_on), "due_amount": rate, "published_at": _instants(applied[owner] + DAY),
        }  # fmt: skip
        late = np.where(
            self.emitted.late[a.person[owner], np.minimum(a.month[owner] + count, self.months - 1)],
            self.g.integers(1, 16, len(owner)), 0,
        )  # fmt: skip
        paid_at = due_on + late * DAY + 9 * HOUR
        done = np.flatnonzero((count <= a.paid[owner]) & (paid_at < end))
        payments: Table = {
            "id_number": number[owner[done]], "loan_id": loan_ids.take(pa.array(owner[done])), "number": count[done],
            "paid_at": _instants(paid_at[done]), "amount": rate[done], "days_late": late[done],
        }  # fmt: skip
        return {"loan": loans, "loan_instalment": instalments, "loan_payment": payments}


def _loan(
    number: NDArray[np.str_], ids: pa.Array, loan_ids: pa.Array, rows: Ints, applied: Ints, draw: Ints,
    drawn: NDArray[np.bool_], due: Ints, a: Applications, state: NDArray[np.str_], told: Ints, ended: Ints | None,
) -> Table:  # fmt: skip
    blank = pa.array(np.full(len(rows), ""))
    return {
        "id_number": number[rows], "loan_id": loan_ids.take(pa.array(rows)), "application_id": ids.take(pa.array(rows)),
        "granted_at": _instants(applied[rows]), "drawn_at": pc.if_else(pa.array(drawn), _instants(draw), ""),
        "due_on": _dates(due), "ended_at": blank if ended is None else _instants(ended), "principal": a.amount[rows],
        "annual_rate_ppm": np.full(len(rows), 110_000), "term_months": a.term[rows], "state": state,
        "published_at": _instants(told),
    }  # fmt: skip


def _join(one: Any, other: Any) -> pa.Array:
    return pa.concat_arrays([pa.array(one), pa.array(other)])


def _people(n: int, g: np.random.Generator) -> People:
    extra = g.integers(0, 4, n)
    member_of = np.repeat(np.arange(n), extra)
    years = np.concatenate([g.integers(1960, 1998, n), g.integers(1940, 2015, len(member_of))])
    serial = np.arange(len(years))
    bodies = [f"34{1600 + int(k) // 300_000:04}{year}{1 + int(k) // 1000 % 12:02}{1 + int(k) // 12_000 % 25:02}{int(k) % 1000:03}"
              for k, year in zip(g.permutation(serial), years, strict=True)]  # fmt: skip
    numbers = np.array([body + person_check_digit(body) for body in bodies])
    return People(numbers[:n], numbers[n:], member_of)


def _birth(numbers: NDArray[np.str_]) -> list[str]:
    return [f"{number[6:10]}-{number[10:12]}-{number[12:14]}" for number in numbers]


def _ids(prefix: str, values: Ints) -> pa.Array:
    text = pc.utf8_lpad(pa.array(np.asarray(values, dtype=np.int64)).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(prefix, text, "")


def _local(moments: Ints) -> pa.Array:
    return pa.array(((np.asarray(moments, dtype=np.int64) + CHINA) // 1_000_000).astype("datetime64[s]"))


def _instants(moments: Ints) -> pa.Array:
    return pc.binary_join_element_wise(pc.strftime(_local(moments), format="%Y-%m-%dT%H:%M:%S"), "+08:00", "")


def _dates(moments: Ints) -> pa.Array:
    return pc.strftime(_local(moments), format="%Y-%m-%d")


def _months(moments: Ints) -> pa.Array:
    return pc.strftime(_local(moments), format="%Y-%m")
