"""What an engineer of the bank can piece together from a city's files alone."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from features.city.parameters import LAGS, START
from tests.features.city.observer import Month, Person

WITHOUT_FEED = {
    "grain_sale", "input_credit", "forest_right", "animal_inspection", "transport_permit", "tobacco_order",
    "water_abstraction", "pollution_permit", "safety_inspection", "parcel_volume", "customs_declaration",
    "public_procurement", "wage_arrears", "legal_service", "tourism_operation",
    # what the city's plain feeds of loans do not need
    "loan_grant", "loan_event", "loan_schedule",
    "account_freeze", "conduct_event", "criminal_case", "customer_contact", "guarantee",
}  # fmt: skip
"""Under contract, but of no use to the story of the city."""


def rows_of(folder: Path, dataset: str) -> list[dict[str, str]]:
    with (folder / "feeds" / f"{dataset}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def month_of(text: str) -> int:
    year, month = int(START[:4]), int(START[5:7])
    return (int(text[:4]) - year) * 12 + int(text[5:7]) - month


class Files:
    """The feeds of a city by person."""

    def __init__(self, folder: Path) -> None:
        self.by: dict[str, dict[str, list[dict[str, str]]]] = {}
        self.owner = {row["uscc"]: row["owner_id_number"] for row in rows_of(folder, "business_registration")}
        for path in sorted((folder / "feeds").glob("*.csv")):
            grouped: dict[str, list[dict[str, str]]] = defaultdict(list)
            for row in rows_of(folder, path.stem):
                grouped[self._whose(row)].append(row)
            self.by[path.stem] = grouped

    def _whose(self, row: dict[str, str]) -> str:
        """The person of a row, or the owner of its firm; places and products are of nobody."""
        return row.get("id_number") or self.owner.get(row.get("uscc", ""), "")

    def of(
        self, dataset: str, number: str, moment: datetime, known: str = "published_at"
    ) -> list[dict[str, str]]:
        return [row for row in self.by[dataset].get(number, []) if at(row[known]) <= moment]

    def person(self, number: str, moment: datetime) -> Person:
        """Everything that is known of a person at a moment, as the observer holds it."""
        last = month_of(moment.isoformat())
        told = self._told(number, moment)
        bank = self.of("bank_transaction", number, moment, "booked_at")
        has = {
            "employed": any(row["kind"] == "salary" for row in bank),
            "trader": bool(self.of("tax_filing", number, moment)),
            "firm": bool(self.of("business_registration", number, moment)),
            "home": bool(self.of("real_estate", number, moment)),
            "vehicle": bool(self.of("vehicle", number, moment)),
            "bureau": bool(self.of("bureau_account", number, moment)),
            "machine": bool(self.of("agricultural_machinery", number, moment)),
            "fund": bool(self.of("provident_fund", number, moment)),
        }
        months = []
        for m in range(last + 1):
            inflow, bill, auto = sorted(
                (row for row in bank if month_of(row["booked_at"]) == m), key=lambda row: row["booked_at"]
            )
            months.append(
                Month(
                    float(np.log(float(inflow["amount"]))),
                    float(np.log(float(bill["balance_after"]))),
                    auto["failed"] == "1",
                    0,
                    {source: found[m] for source, found in told.items() if m in found},
                )
            )
        for row in self.of("bureau_enquiry", number, moment):
            if row["reason"].endswith("approval"):
                months[month_of(row["enquired_at"])].enquiries += 1
        self._add_book(number, moment, months, has_bureau=has["bureau"])
        for row in self.of("vat_invoice", number, moment):
            months[month_of(row["issued_on"])].invoices += row["kind"] == "sales"
        grades = [row["grade"] for row in self.of("tax_credit_grade", number, moment)]
        return Person(
            has, bool(self.of("electricity", number, moment)), months, bool(self.of("water", number, moment)),
            "ABMCD".index(grades[0]) if grades else None,
        )  # fmt: skip

    def _told(self, number: str, moment: datetime) -> dict[str, dict[int, tuple[int, object]]]:
        def lagged(
            dataset: str, field: str, content: Callable[[dict[str, str]], object]
        ) -> dict[int, tuple[int, object]]:
            found: dict[int, tuple[int, object]] = {}
            for row in self.of(dataset, number, moment):
                m = month_of(row[field])
                if m not in found:  # a correction comes later and repeats the status
                    found[m] = (month_of(row["published_at"]) - m, content(row))
            return found

        cases: dict[int, list[dict[str, str]]] = defaultdict(list)
        for row in self.of("court_case", number, moment):
            cases[month_of(row["filed_on"])].append(row)
        kinds = ["civil", "loan", "enforcement", "dishonest"]
        return {
            "social_insurance": lagged("social_insurance", "period", lambda _: True),
            "electricity": lagged(
                "electricity",
                "month",
                lambda row: (float(np.log(float(row["load_ratio"]))), row["paid_on_time"] == "1"),
            ),
            "tax_filing": lagged(
                "tax_filing", "period", lambda row: ["on_time", "late", "arrears"].index(row["status"])
            ),
            "bureau_repayment": lagged("bureau_repayment", "month", lambda row: int(row["dpd_bucket"])),
            "provident_fund": lagged("provident_fund", "period", lambda _: True),
            "water": lagged("water", "month", lambda row: row["paid_on_time"] == "1"),
            "administrative_penalty": lagged("administrative_penalty", "decided_on", lambda _: True),
            "court_case": {
                m: (month_of(rows[0]["published_at"]) - m, (len(rows), kinds.index(rows[0]["kind"])))
                for m, rows in cases.items()
            },
        }

    def _add_book(self, number: str, moment: datetime, months: list[Month], *, has_bureau: bool) -> None:
        paid = {
            (row["loan_id"], row["number"]): row for row in self.of("loan_payment", number, moment, "paid_at")
        }
        fraud = bool(self.of("fraud_confirmed", number, moment, "confirmed_at"))
        missed = False
        for row in sorted(self.of("loan_instalment", number, moment), key=lambda row: row["due_on"]):
            if at(row["due_on"]).date() > moment.date() or missed:
                continue
            payment = paid.get((row["loan_id"], row["number"]))
            month = months[month_of(row["due_on"])]
            if payment is None:
                month.missed, month.fraud_told, missed = True, fraud, True
            else:
                month.paid_late = int(payment["days_late"]) > 0
        for row in self.of("application", number, moment, "applied_at"):
            m = month_of(row["applied_at"])
            if m < len(months) - 1:
                approved = row["outcome"] == "approved" and row["stream"] == "policy"
                months[m].decision = (approved, self._score(months, m, has_bureau=has_bureau))

    @staticmethod
    def _score(months: list[Month], at_month: int, *, has_bureau: bool) -> float:
        score = 0.0
        for m in range(max(at_month - 6, 0), at_month):
            lag, bucket = months[m].told.get("bureau_repayment", (LAGS, 0))
            score += 0.35 * (has_bureau and m + lag <= at_month and bucket > 0) + 0.12 * months[m].enquiries
        return score
