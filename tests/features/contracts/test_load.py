"""What a broken contract is refused for, with the place and the word that is wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.contracts.documents import BrokenDocument, parse_yaml
from features.contracts.load import FORBIDDEN_CATEGORIES, load_contract, load_contracts

GOOD: dict[str, Any] = {
    "schema": 1, "dataset": "wages", "department": "hrss", "title": {"zh": "工资", "en": "Wages"}, "subject": "person",
    "subject_field": "id_number", "consent_category": "income", "legal_basis": ["consent"],
    "times": {"valid_from": {"field": "month"}, "known_from": {"field": "told", "usual_lag_days": 3}},
    "key": ["month"],
    "fields": [{"name": "month", "type": "month", "required": True}, {"name": "told", "type": "instant"},
               {"name": "pay", "type": "money", "min": 0}],
}  # fmt: skip


def put(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return path


def changed(**new: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | new


def times(**new: Any) -> dict[str, Any]:
    return changed(times=GOOD["times"] | new)


def test_the_good_one_is_good(tmp_path) -> None:
    contract = load_contract(put(tmp_path / "wages.yaml", GOOD))
    assert contract.names == ("month", "told", "pay")
    assert contract.field("pay").divisor == 100


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed(schema=2), "schema 2 is not known"),
        (changed(colour="red"), "unknown field `colour`"),
        ({k: v for k, v in GOOD.items() if k != "department"}, "missing required field `department`"),
        (changed(subject="cat"), "Invalid enum value 'cat'"),
        (changed(title={"zh": "工资"}), r"missing required field `en` - at `\$\.title`"),
        (changed(fields=[{"name": "month", "type": "moment"}]), r"Invalid enum value 'moment' - at `\$\.fields\[0\]\.type`"),
        (changed(key=["mouth"]), r"key 'mouth' is not a field\. Fields: month, told, pay"),
        (changed(fields=[*GOOD["fields"], GOOD["fields"][2]]), "a field name stands twice"),
        (changed(links=[{"kind": "member_of", "to": "household", "field": "house"}]), "'member_of' names no field: 'house'"),
        (changed(subject_field="pay"), "'pay' is the subject and may not be a field too"),
        (times(valid_from={}), "valid_from needs a field or a constant"),
        (times(valid_from={"field": "pay"}), r"times\.valid_from: 'pay' is not a month, date or instant field"),
        (times(known_from={"field": "nowhere"}), r"times\.known_from: 'nowhere' is not a month"),
        (times(valid_to={"field": "pay"}), r"times\.valid_to: 'pay' is not a month"),
        (changed(history="static"), "a static dataset needs a note"),
        ("schema: [1", r"broken\.yaml:2:1: not valid YAML: did not find expected ',' or '\]'"),
        ("a: b: c", r"broken\.yaml:1:\d+: not valid YAML: mapping values"),
        ("- 1\n- 2", "Expected `object`, got `array`"),
    ],
)  # fmt: skip
def test_a_broken_contract_is_refused_by_name_and_place(tmp_path, document, message) -> None:
    with pytest.raises(BrokenDocument, match=message) as refused:
        load_contract(put(tmp_path / "broken.yaml", document))
    assert "broken.yaml" in refused.value.place


@pytest.mark.parametrize("category", sorted(FORBIDDEN_CATEGORIES))
def test_what_may_never_be_collected_is_refused(tmp_path, category) -> None:
    with pytest.raises(BrokenDocument, match=rf"'{category}' may not be collected \(REG-CR-02\)"):
        load_contract(put(tmp_path / "c.yaml", changed(consent_category=category)))


@pytest.mark.parametrize(
    "name", ["sex", "ethnic_group", "religion", "health_state", "political_status", "marital_status"]
)
def test_a_protected_attribute_must_be_marked(tmp_path, name) -> None:
    more = [*GOOD["fields"], {"name": name, "type": "category"}]
    with pytest.raises(
        BrokenDocument, match=f"field '{name}' is by its name an attribute that no feature may use"
    ):
        load_contract(put(tmp_path / "c.yaml", changed(fields=more)))


def test_protected_attributes_are_for_fairness_tests_alone(tmp_path) -> None:
    more = [*GOOD["fields"], {"name": "sex", "type": "category", "protected": True}]
    with pytest.raises(
        BrokenDocument, match=r"may be read for other purposes\. Write only_purpose: fairness_test"
    ):
        load_contract(put(tmp_path / "c.yaml", changed(fields=more)))
    told = changed(fields=more, only_purpose="fairness_test")
    assert load_contract(put(tmp_path / "c.yaml", told)).field("sex").protected


def test_a_file_that_is_not_there_or_no_text(tmp_path) -> None:
    with pytest.raises(BrokenDocument, match=r"nothing\.yaml: there is no such file\. Check the path"):
        load_contract(tmp_path / "nothing.yaml")
    (tmp_path / "gbk.yaml").write_bytes("工资".encode("gbk"))
    with pytest.raises(BrokenDocument, match="it is not UTF-8 text"):
        load_contract(tmp_path / "gbk.yaml")


def test_a_dataset_is_declared_once_over_all_folders(tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        put(tmp_path / folder / "wages.yaml", GOOD)
    with pytest.raises(BrokenDocument, match="dataset 'wages' is declared twice"):
        load_contracts([tmp_path / "a", tmp_path / "b"])
    assert set(load_contracts([tmp_path / "a"])) == {"wages"}


def test_a_yaml_can_run_no_code(tmp_path) -> None:
    with pytest.raises(BrokenDocument, match="could not determine a constructor"):
        load_contract(put(tmp_path / "c.yaml", "a: !!python/object/apply:os.system ['true']"))


def test_dates_in_a_yaml_stay_text(tmp_path) -> None:
    assert parse_yaml(put(tmp_path / "d.yaml", "since: 2024-05-31")) == {"since": "2024-05-31"}


def test_a_static_dataset_with_its_reason_and_a_constant_time(tmp_path) -> None:
    document = changed(
        history="static", note="Districts do not move.", times={"valid_from": {"constant": "1990-01-01"}}
    )
    assert load_contract(put(tmp_path / "c.yaml", document)).times.valid_from.constant == "1990-01-01"
