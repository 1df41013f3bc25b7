"""What the departments send: columns of text and numbers for each contract, as publishable rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, month_start
from features.city.book import Applications
from features.city.government import government_feeds
from features.city.identities import draw_identities, paper_feed
from features.city.latent import Attributes, Emissions, Lives
from features.city.lending import HOUR, Table, book_feeds
from features.city.official import firm_codes, told
from features.city.parameters import START
from features.city.text import birth_text, date_text, draw_people, id_text, instant_text, month_text

Ints = NDArray[np.int64]


class Writer:
    """Builds the feeds of one city; ``g`` draws what carries no information (ids, days, amounts' bases)."""

    def __init__(
        self, lives: Lives, known: Attributes, emitted: Emissions, months: int, g: np.random.Generator
    ) -> None:
        self.lives, self.known, self.emitted, self.months, self.g = lives, known, emitted, months, g
        first = np.datetime64(START, "M").astype(int)
        self.starts = month_start(np.arange(first, first + months + 60))
        self.people = draw_people(len(lives.kind), g)
        self.base = g.lognormal(8.4, 0.3, len(lives.kind))
        aside = np.random.default_rng(g.bit_generator.seed_seq.spawn(1)[0])  # type: ignore[attr-defined]
        self.known_as = draw_identities(self.people, aside)
        self.paper, self.paper_truth = paper_feed(
            self.people, self.known_as, int(self.starts[0]), months, aside
        )

    def feeds(self, applications: Applications) -> dict[str, Table]:
        """Every dataset's columns."""
        tables = {
            "population_register": self._register(), "social_insurance": self._social(),
            "tax_filing": self._tax(), "electricity": self._power(), "court_case": self._court(),
            "business_registration": self._firms(), "real_estate": self._homes(), "vehicle": self._vehicles(),
            "bureau_account": self._accounts(), "bureau_repayment": self._repayments(),
            "bureau_enquiry": self._enquiries(), "bank_transaction": self._bank(), "agricultural_machinery_paper": self.paper,
        }  # fmt: skip
        return tables | government_feeds(self, tables) | book_feeds(self, applications)

    def day(self, month: Ints, day: Ints | int, hour: Ints | int = 9) -> Ints:
        """Instant of a day and hour of a month (counted from the city's first)."""
        return np.asarray(
            self.starts[month] + (np.asarray(day) - 1) * DAY + np.asarray(hour) * HOUR, dtype=np.int64
        )

    def _published(self, source: str, chosen: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
        """(person, month, publication) of a source's chosen records that are told within the city's time."""
        person, month, late = told(self.emitted, source, chosen)
        days = (
            self.g.integers(18, 26, len(person))
            if source != "bureau_repayment"
            else self.g.integers(8, 12, len(person))
        )
        return person, month, self.day(month + late, days, self.g.integers(8, 18, len(person)))

    def _register(self) -> Table:
        p, n = self.people, len(self.people.heads)
        number = np.concatenate([p.heads, p.members])
        house = np.concatenate([np.arange(n), p.member_of])
        since = self.g.integers(1990, 2019, n)
        role = np.array(["spouse", "child", "parent"])[np.arange(len(p.members)) % 3]
        return {
            "id_number": number, "household_no": id_text("H", house), "role": np.concatenate([np.full(n, "head"), role]),
            "birth_date": birth_text(number), "name": self.known_as.name, "address": self.known_as.address,
            "phone": self.known_as.phone, "village": id_text("V", house % 60),
            "registered_since": [f"{year}-06-01" for year in since[house]],
            "registered_until": np.full(len(number), ""),
            "published_at": instant_text(np.full(len(number), self.starts[0])),
        }  # fmt: skip

    def _social(self) -> Table:
        person, month, out = self._published(
            "social_insurance", self.emitted.ss_paid & self.known.employed[:, None]
        )
        return {
            "id_number": self.people.heads[person], "period": month_text(self.starts[month]),
            "base": np.round(self.base[person], 2), "employer": id_text("E", person % 700),
            "status": np.full(len(person), "paid"), "published_at": instant_text(out),
        }  # fmt: skip

    def _tax(self) -> Table:
        everyone = np.broadcast_to(self.known.trader[:, None], self.emitted.ss_paid.shape)
        person, month, out = self._published("tax_filing", everyone)
        season = 1 + 0.25 * np.sin((month % 12) / 12 * 2 * np.pi)
        sales = np.round(self.base[person] * 3 * season, 2)
        status = np.array(["on_time", "late", "arrears"])[self.emitted.tax_status[person, month]]
        table = {
            "id_number": self.people.heads[person], "period": month_text(self.starts[month]), "sales": sales,
            "tax": np.round(sales * 0.03, 2), "status": status, "published_at": out,
        }  # fmt: skip
        wrong = np.flatnonzero(
            (self.g.random(len(person)) < 0.02) & (out + 30 * DAY < self.starts[self.months])
        )
        corrected = {name: np.asarray(column)[wrong] for name, column in table.items()}
        corrected["published_at"] = out[wrong] + 20 * DAY
        table["sales"] = np.where(np.isin(np.arange(len(person)), wrong), np.round(sales * 1.4, 2), sales)
        joined: Table = {name: np.concatenate([np.asarray(table[name]), corrected[name]]) for name in table}
        joined["published_at"] = instant_text(joined["published_at"])
        return joined

    def _power(self) -> Table:
        everyone = np.broadcast_to(self.known.metered[:, None], self.emitted.ss_paid.shape)
        person, month, out = self._published("electricity", everyone)
        kva = np.array([4.0, 6.0, 8.0, 12.0])[person % 4]
        load = np.exp(self.emitted.load[person, month])
        season = 1 + 0.3 * np.cos((month % 12 - 6) / 12 * 4 * np.pi)
        kwh = np.round(load * kva * 100 * season, 1)
        return {
            "id_number": self.people.heads[person], "meter": id_text("M", person), "month": month_text(self.starts[month]),
            "kwh": kwh, "contract_kva": kva, "load_ratio": np.round(load, 6), "bill": np.round(kwh * 0.56, 2),
            "paid_on_time": self.emitted.bill_on_time[person, month].astype(int), "published_at": instant_text(out),
        }  # fmt: skip

    def _court(self) -> Table:
        person, month, out = self._published("court_case", self.emitted.court > 0)
        times = self.emitted.court[person, month]
        person, month, out = (np.repeat(array, times) for array in (person, month, out))
        kind = np.array(["civil", "loan", "enforcement", "dishonest"])[self.emitted.court_kind[person, month]]
        return {
            "id_number": self.people.heads[person], "case_id": id_text("C", np.arange(len(person))),
            "filed_on": date_text(self.day(month, 10, 0)), "closed_on": np.full(len(person), ""),
            "amount": np.round(self.g.lognormal(9.5, 0.8, len(person)), 2), "kind": kind, "published_at": instant_text(out),
        }  # fmt: skip

    def _owned(self, has: NDArray[np.bool_], salt: str, low: float) -> Table:
        person = np.flatnonzero(has)
        since = self.starts[0] - self.g.integers(100, 4000, len(person)) * DAY
        return {
            "id_number": self.people.heads[person], salt: id_text(salt[:1].upper(), person),
            "registered_on": date_text(since), "value": np.round(self.g.lognormal(low, 0.5, len(person)), 2),
            "published_at": instant_text(since + 2 * DAY),
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
        return {
            "uscc": firm_codes(len(owner)), "owner_id_number": self.people.heads[owner],
            "registered_on": date_text(since), "cancelled_on": np.full(len(owner), ""),
            "status": np.full(len(owner), "normal"), "capital": np.round(self.g.lognormal(11, 1, len(owner)), 2),
            "industry": industry, "published_at": instant_text(since + DAY),
        }  # fmt: skip

    def _accounts(self) -> Table:
        person = np.flatnonzero(self.known.bureau)
        since = self.starts[0] - self.g.integers(30, 2500, len(person)) * DAY
        limit = np.round(self.g.lognormal(10, 0.6, len(person)), 2)
        use = np.round(self.g.random(len(person)), 6)
        return {
            "id_number": self.people.heads[person], "account": id_text("A", person), "opened_on": date_text(since),
            "closed_on": np.full(len(person), ""), "lender": id_text("L", person % 23),
            "lender_kind": np.array(["bank", "nonbank"])[(person % 5 == 0).astype(int)],
            "kind": np.array(["loan", "card"])[person % 2], "limit": limit, "balance": np.round(limit * use, 2),
            "utilisation": use, "overdue_amount": np.zeros(len(person)), "published_at": instant_text(since + DAY),
        }  # fmt: skip

    def _repayments(self) -> Table:
        everyone = np.broadcast_to(self.known.bureau[:, None], self.emitted.ss_paid.shape)
        person, month, out = self._published("bureau_repayment", everyone)
        bucket = self.emitted.bureau_bucket[person, month]
        due = np.round(self.base[person] * 0.12, 2)
        return {
            "id_number": self.people.heads[person], "account": id_text("A", person), "month": month_text(self.starts[month]),
            "dpd_bucket": bucket, "due": due, "paid": np.where(bucket > 0, 0.0, due), "published_at": instant_text(out),
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
            "id_number": self.people.heads[person], "enquired_at": instant_text(at),
            "lender": id_text("L", self.g.integers(0, 40, len(person))), "reason": reason,
            "published_at": instant_text(at + DAY),
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
            "id_number": self.people.heads[who], "transaction_id": id_text("T", np.arange(len(who))),
            "booked_at": instant_text(self.day(np.tile(month, 3), stack(3), 10)), "direction": stack(0),
            "amount": np.round(stack(1), 2), "kind": stack(2), "counterparty": id_text("P", who % 900),
            "balance_after": np.round(stack(4), 2), "failed": stack(5),
        }  # fmt: skip
