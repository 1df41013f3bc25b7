"""The features of a dataset for which nobody has written any."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from features.calendar import NEVER, instant
from features.canonical import code_of
from features.contracts.model import Contract
from features.definitions.model import PlanDocument
from features.definitions.plan import FeaturePlan
from features.definitions.standard import standard_set
from features.timeline.events import EventTable

CONTRACT: dict[str, Any] = {
    "schema": 1, "dataset": "orders", "department": "test", "title": {"zh": "订单", "en": "Orders"}, "subject": "opaque",
    "subject_field": "who", "consent_category": "trade", "legal_basis": ["consent"],
    "times": {"valid_from": {"field": "on"}}, "key": ["no"],
    "fields": [
        {"name": "no", "type": "id"}, {"name": "on", "type": "date", "required": True},
        {"name": "value", "type": "money", "unit": "yuan", "zh": "金额", "en": "value"},
        {"name": "kind", "type": "category", "codes": {"sale": {"zh": "售", "en": "sale"}, "return": {"zh": "退", "en": "return"}}},
        {"name": "shop", "type": "id"}, {"name": "buyer", "type": "id_number"}, {"name": "open", "type": "boolean"},
    ],
}  # fmt: skip


def plan_for(contract: dict[str, Any], exclude: tuple[str, ...] = ()) -> FeaturePlan:
    parsed = msgspec.convert(contract, Contract)
    return FeaturePlan(PlanDocument(1, (parsed,), (standard_set(parsed, exclude),)))


def test_a_history_gets_counts_sums_shares_and_distinct_codes() -> None:
    names = {column.name for column in plan_for(CONTRACT).columns}
    assert {"orders_cnt_1m", "orders_cnt", "orders_months_since_last", "orders_months_since_first"} <= names
    assert {
        f"value_{kind}_{window}" for kind in ("sum", "mean", "min", "max") for window in ("1m", "12m")
    } <= names
    assert {
        "value_last",
        "value_trend_6m",
        "open_mean_3m",
        "kind_sale_share_3m",
        "kind_return_share",
        "shop_distinct_6m",
    } <= names
    assert not any(name.startswith(("no_", "buyer", "on_")) for name in names)


def test_what_is_excluded_gets_no_feature() -> None:
    names = {column.name for column in plan_for(CONTRACT, ("value", "shop")).columns}
    assert not any(name.startswith(("value", "shop")) for name in names)
    assert any(name.startswith("kind") for name in names)


def test_each_is_told_under_the_dataset_s_reason_in_both_languages() -> None:
    plan = plan_for(CONTRACT)
    assert {column.reason for column in plan.columns} == {"ORDERS_DATA"}
    assert plan.reasons["ORDERS_DATA"].zh == "订单方面的情况"
    assert plan.reasons["ORDERS_DATA"].en == "What orders show"
    assert {column.sign for column in plan.columns} == {0}


def test_a_dataset_without_a_key_is_taken_as_it_is_and_its_dates_as_months_since() -> None:
    contract = CONTRACT | {"key": [], "times": {"valid_from": {"constant": "1990-01-01"}}}
    plan = plan_for(contract)
    assert [column.name for column in plan.columns] == ["no", "on", "value", "kind", "shop", "open"]
    one = np.zeros(1, dtype=np.int64)
    columns = dict.fromkeys(plan.contracts["orders"].names, one) | {
        "value": np.array([12_345]), "on": np.array([instant("2024-01-01")]), "kind": np.array([code_of("sale")]),
    }  # fmt: skip
    start = np.array([instant("1990-01-01")])
    table = EventTable(one, start, one + NEVER, start, one + NEVER, one, columns)
    found = plan.build({"orders": table}, one, np.array([instant("2025-01-01")]))
    values = dict(zip(found.names, found.values[0].tolist(), strict=True))
    assert values["value"] == 123.45
    assert values["kind"] == code_of("sale")
    assert 11.9 < values["on"] < 12.1
