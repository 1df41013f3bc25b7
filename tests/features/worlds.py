"""Small contracts, definitions and random histories for tests of the timeline and the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, NULL, instant
from features.canonical import code_of
from features.contracts.model import Contract
from features.definitions.model import DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan
from features.timeline.events import EventTable, RawEvents, mix

WAGES: dict[str, Any] = {
    "schema": 1,
    "dataset": "wages",
    "department": "test",
    "title": {"zh": "工资", "en": "Wages"},
    "subject": "opaque",
    "subject_field": "who",
    "consent_category": "income",
    "legal_basis": ["consent"],
    "times": {"valid_from": {"field": "paid_on"}, "valid_to": {"field": "until"}, "known_from": {"field": "told_on"}},
    "key": ["slip"],
    "fields": [
        {"name": "slip", "type": "id"},
        {"name": "paid_on", "type": "date", "required": True},
        {"name": "until", "type": "date"},
        {"name": "told_on", "type": "date"},
        {"name": "born_on", "type": "date"},
        {"name": "amount", "type": "integer"},
        {"name": "payer", "type": "id"},
        {"name": "kind", "type": "category", "codes": {"salary": {"zh": "薪", "en": "salary"}, "gift": {"zh": "礼", "en": "gift"}}},
    ],
}  # fmt: skip

AGGREGATES: tuple[tuple[str, str], ...] = (
    ("count", ""), ("any", ""), ("none", ""), ("sum", "amount"), ("mean", "amount"), ("min", "amount"), ("max", "amount"),
    ("last", "amount"), ("distinct", "payer"), ("months_since_last", ""), ("months_since_first", ""),
    ("active_months", ""), ("streak", ""), ("trend", "amount"), ("variation", "amount"), ("share", ""),
    ("share_sum", "amount"), ("concentration", "payer"), ("year_on_year", "amount"), ("negative_months", "amount"),
    ("months_since_value", "paid_on"), ("longest_streak", ""), ("top_share", "payer"), ("monthly_mean", "amount"),
    ("months_until_value", "paid_on"), ("seasonal_variation", "amount"), ("working_age_share", "born_on"),
    ("years_since_first", ""), ("years_until_value", "paid_on"),
)  # fmt: skip
MONTHLY = {
    "active_months", "streak", "trend", "variation", "year_on_year", "negative_months", "longest_streak",
    "monthly_mean", "seasonal_variation",
}  # fmt: skip
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"kind": "salary"},
    {"amount": {"ge": 0}},
    {"kind": ["salary", "gift"], "amount": {"lt": 500}},
)


def definitions() -> list[dict[str, Any]]:
    """Every aggregate under every filter, over all windows that it takes."""
    found = []
    for aggregate, column in AGGREGATES:
        for number, where in enumerate(FILTERS):
            windows = ["1m", "3m", "6m"] if aggregate in MONTHLY else ["1m", "6m", "30d", "31d", "all", "now"]
            windows = ["all"] if aggregate.endswith("_since_first") else windows
            for window in windows:
                found.append({
                    "name": f"{aggregate}_{number}" + ("_valid" if window == "now" else ""),
                    "aggregate": aggregate, "column": column, "where": where, "windows": [window],
                    "against": {"kind": "gift"} if aggregate in {"share", "share_sum", "negative_months"} else None,
                    "weight": "amount" if aggregate == "concentration" or (aggregate == "top_share" and number) else "",
                    "zh": "测", "en": "test", "rationale": "test", "reason": "R",
                })  # fmt: skip
    return found


def plan_of(
    features: Iterable[Mapping[str, Any]], contracts: Iterable[Mapping[str, Any]] = (WAGES,)
) -> FeaturePlan:
    """A plan over the wages contract (or others)."""
    contracts = list(contracts)
    file = {
        "schema": 1, "dataset": contracts[0]["dataset"], "features": list(features),
        "reasons": {"R": {"zh": "测试原因", "en": "a test reason"}},
    }  # fmt: skip
    parsed = tuple(msgspec.convert(contract, Contract) for contract in contracts)
    return FeaturePlan(PlanDocument(1, parsed, (msgspec.convert(file, DefinitionFile),)))


def stored_conditions(where: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions with category texts as codes, for the oracle."""
    coded = {"salary": code_of("salary"), "gift": code_of("gift")}
    return {
        name: [coded.get(v, v) for v in value] if isinstance(value, list)
        else value if isinstance(value, dict) else coded.get(value, value)
        for name, value in where.items()
    }  # fmt: skip


BASE = instant("2024-03-31")
DAYS = st.integers(-800, 90).map(lambda days: BASE + days * DAY)
"""Days around a month's end and a leap day; ties are frequent."""


BIRTHS = tuple(
    instant(day)
    for day in (
        "1930-01-01",
        "1964-02-29",
        "1964-03-31",
        "1980-05-05",
        "2008-02-29",
        "2008-03-31",
        "2015-01-01",
    )
)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, int]:
    """One accepted row of wages."""
    valid_from = draw(DAYS)
    lag = draw(st.sampled_from([0, 0, 1, 30, 400, -20]))
    return {
        "subject": draw(st.integers(0, 2)),
        "valid_from": valid_from,
        "valid_to": draw(st.sampled_from([NEVER, valid_from + 10 * DAY, valid_from + 500 * DAY])),
        "known_from": valid_from + lag * DAY,
        "slip": draw(st.integers(0, 5)),
        "amount": draw(st.sampled_from([NULL, 0, 1, 7, 100, 499, 500, -250])),
        "payer": draw(st.sampled_from([NULL, 11, 12, 13, 14, 15, 16, 17])),
        "born_on": draw(st.sampled_from([NULL, *BIRTHS])),
        "kind": draw(st.sampled_from([NULL, code_of("salary"), code_of("gift")])),
    }


HISTORIES = st.lists(rows(), max_size=30)
AS_OFS = st.integers(-60, 200).map(lambda days: BASE + days * DAY)


def raw_of(history: list[dict[str, int]]) -> RawEvents:
    """Accepted rows as they lie in the lake, each its own version."""

    def column(name: str) -> Any:
        return np.array([row.get(name, NULL) for row in history], dtype=np.int64)

    names = ("slip", "amount", "payer", "kind", "born_on")
    columns = {name: column(name) for name in names}
    columns["paid_on"], columns["until"], columns["told_on"] = (
        column("valid_from"),
        column("valid_to"),
        column("known_from"),
    )
    versions = np.array([row.get("version", k + 1) for k, row in enumerate(history)], dtype=np.int64)
    times = (column("subject"), column("valid_from"), column("valid_to"), column("known_from"))
    return RawEvents(*times, versions, mix([columns["slip"]]), columns)


def events_of(table: EventTable, subject: int) -> list[dict[str, int]]:
    """One subject's events as plain dicts, in order."""
    rows_ = np.flatnonzero(table.subject == subject)
    times = ("valid_from", "valid_to", "known_from", "known_to")
    return [
        {name: int(getattr(table, name)[row]) for name in times}
        | {name: int(values[row]) for name, values in table.columns.items()}
        for row in rows_
    ]
