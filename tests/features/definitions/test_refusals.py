"""Every definition that cannot be computed is refused when the plan is made, by name and with what to mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.contracts.documents import BrokenDocument
from features.contracts.model import Contract
from features.definitions.conditions import BrokenDefinition
from features.definitions.model import DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan, load_plan
from features.errors import Integrity
from tests.features.worlds import WAGES, plan_of

BASE: dict[str, Any] = {
    "name": "x",
    "aggregate": "count",
    "zh": "测",
    "en": "test",
    "rationale": "test",
    "reason": "R",
}


FAIRNESS: dict[str, Any] = WAGES | {"only_purpose": "fairness_test"}
SEX: dict[str, Any] = {"name": "sex", "type": "category", "protected": True}


def refused(**new: Any) -> str:
    with pytest.raises(BrokenDefinition) as found:
        plan_of([BASE | new])
    return str(found.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aggregate": "median"}, "feature x of wages: 'median' is no aggregate. Choose of count,"),
        ({"sign": 2}, "sign 2 is not -1, 0 or 1."),
        ({"reason": "S"}, "the reason 'S' has no text. Add it to `reasons`, in zh and en."),
        ({"windows": ["6w"]}, "'6w' is no window. Write 6m, 90d, all or now."),
        ({"windows": ["0m"]}, "'0m' is no window."),
        ({"windows": ["-3m"]}, "'-3m' is no window."),
        ({"windows": ["m"]}, "'m' is no window."),
        ({"windows": [""]}, "'' is no window."),
        ({"windows": ["6m", "6m"]}, "column x_6m is defined twice. Rename one."),
        ({"windows": ["all", "now"]}, "column x is defined twice."),
        ({"aggregate": "sum"}, "sum needs column."),
        ({"column": "amount"}, "count takes no column."),
        ({"aggregate": "share"}, "share needs `against`."),
        ({"against": {}}, "count takes no `against`."),
        ({"aggregate": "sum", "column": "wealth"}, "'wealth' is no field of it. Fields: slip, paid_on,"),
        ({"where": {"wealth": 1}}, "'wealth' is no field of it."),
        ({"aggregate": "share", "against": {"wealth": 1}}, "'wealth' is no field of it."),
        ({"aggregate": "concentration", "column": "payer", "weight": "wealth"}, "'wealth' is no field of it."),
        ({"aggregate": "mean", "column": "payer"}, "payer is a code: it has no mean. Count it, or take its last value."),
        ({"where": {"kind": "bonus"}}, "kind: 'bonus' is no code of it. Codes: salary, gift."),
        ({"where": {"kind": ["salary", "bonus"]}}, "kind: 'bonus' is no code of it."),
        ({"where": {"amount": {"above": 3}}}, "amount: above is no operator. Use ne, lt, le, gt or ge."),
        ({"where": {"amount": {}}}, "amount: an empty condition is no operator."),
        ({"where": {"amount": "many"}}, "amount: 'many' does not fit."),
        ({"where": {"amount": None}}, "amount: None does not fit."),
        ({"where": {"paid_on": {"ge": "yesterday"}}}, "paid_on: 'yesterday' does not fit."),
        ({"aggregate": "streak", "windows": ["90d"]}, "streak needs windows in months, not '90d'."),
        ({"aggregate": "streak", "windows": ["all"]}, "streak needs windows in months, not 'all'."),
        ({"aggregate": "trend", "column": "amount", "windows": ["now"]}, "trend needs windows in months, not 'now'."),
        ({"aggregate": "months_since_first", "windows": ["6m"]}, "months_since_first looks at all or now. Write windows: [all]."),
        ({"aggregate": "year_on_year", "column": "amount", "windows": ["13m"]}, "year_on_year compares at most 12 months."),
        ({"aggregate": "ratio", "of": ["a", "b"]}, "feature x of the composites: 'a' is no column. Define it in an earlier file."),
        ({"aggregate": "ratio", "of": []}, "a ratio is of two columns."),
    ],
)  # fmt: skip
def test_a_broken_definition_is_refused_with_its_place(change, message) -> None:
    assert message in refused(**change)


def test_too_many_filters_for_one_mask_are_refused() -> None:
    features = [BASE | {"name": f"x{k}", "where": {"amount": k}} for k in range(65)]
    with pytest.raises(BrokenDefinition, match=r"more than 64 different filters\. Split"):
        plan_of(features)
    assert len(plan_of(features[:64]).columns) == 64


def document(*files: dict[str, Any]) -> PlanDocument:
    reasons = {"R": {"zh": "测", "en": "test"}}
    parsed = tuple(
        msgspec.convert({"schema": 1, "reasons": reasons} | file, DefinitionFile) for file in files
    )
    return PlanDocument(1, (msgspec.convert(WAGES, Contract),), parsed)


def test_a_feature_of_an_unknown_dataset_and_a_request_without_value_are_refused() -> None:
    with pytest.raises(BrokenDefinition, match="there is no contract for its dataset"):
        FeaturePlan(document({"dataset": "salaries", "features": [BASE]}))
    with pytest.raises(BrokenDefinition, match="has the aggregate `value` and a column"):
        FeaturePlan(document({"dataset": "request", "features": [BASE]}))
    with pytest.raises(BrokenDefinition, match="has the aggregate `value` and a column"):
        FeaturePlan(document({"dataset": "request", "features": [BASE | {"aggregate": "value"}]}))


def test_a_file_of_another_schema_or_with_an_unknown_word_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("schema: 7\nfeatures: []\n")
    with pytest.raises(BrokenDocument, match=r"a\.yaml: schema 7 is not known"):
        load_plan([], [tmp_path])
    (tmp_path / "a.yaml").write_text("schema: 1\nfeatures: [{name: x, colour: red}]\n")
    with pytest.raises(
        BrokenDocument, match=r"unknown field `colour` - at `\$\.features\[0\]`|missing required"
    ):
        load_plan([], [tmp_path])


def test_a_stored_plan_is_read_back_to_the_same_bytes_or_refused() -> None:
    plan = plan_of([BASE, BASE | {"name": "y", "aggregate": "sum", "column": "amount", "windows": ["6m"]}])
    again = FeaturePlan.load(plan.document)
    assert (again.digest, again.columns) == (plan.digest, plan.columns)
    for broken in (b"", b"{}", plan.document[:-1], plan.document.replace(b'"count"', b'"median"')):
        with pytest.raises(Integrity, match="the definitions cannot be read"):
            FeaturePlan.load(broken)
    with pytest.raises(Integrity, match="not in canonical form"):
        FeaturePlan.load(plan.document.replace(b'"schema":1', b'"schema": 1', 1))


@pytest.mark.parametrize(
    "use",
    [
        {"aggregate": "last", "column": "sex"},
        {"where": {"sex": "f"}},
        {"aggregate": "share", "against": {"sex": "f"}},
        {"aggregate": "concentration", "column": "kind", "weight": "sex"},
    ],
)
def test_no_feature_uses_a_protected_attribute(use) -> None:
    contract = FAIRNESS | {"fields": [*WAGES["fields"], SEX]}
    with pytest.raises(BrokenDefinition, match=r"'sex' is a protected attribute\. No feature may use it\."):
        plan_of([BASE | use], [contract])


def test_a_dataset_for_fairness_tests_has_no_features() -> None:
    with pytest.raises(BrokenDefinition, match=r"the dataset may be read for fairness_test alone"):
        plan_of([BASE], [FAIRNESS])
