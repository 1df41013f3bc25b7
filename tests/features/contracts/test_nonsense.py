"""Contracts that are well formed and make no sense, and texts that nobody should be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from features.contracts.convert import REMEDIES, convert_column
from features.contracts.documents import BrokenDocument
from features.contracts.load import BUILTIN, check_shipped, load_contract, load_contracts
from features.contracts.model import Field, FieldType
from tests.features.contracts.test_load import GOOD, changed, put, times

PORTFOLIOS = Path(__file__).parents[3] / "training" / "portfolios"
LAG = r"times\.known_from\.usual_lag_days: .+ is no lag\. Write days from 0 to"


def added(**field: Any) -> dict[str, Any]:
    return changed(fields=[*GOOD["fields"], {"name": "extra", "type": "decimal"} | field])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed(bases={"credit_assessment": "pseudonymised_statistics"}), "no basis for credit_assessment. Leave it out"),
        (changed(bases={"post_loan_management": "fairness_duty"}), "no basis for post_loan_management"),
        (changed(bases={"fairness_test": "pseudonymised_statistics"}), "no basis for fairness_test"),
        (changed(bases={"model_development": "fairness_duty"}), "fits: model_development: pseudonymised_statistics"),
        (changed(bases={"credit_assessment": "accuracy_duty"}), "no basis for credit_assessment"),
        (changed(retention_months=0), "retention_months: 0 keeps nothing. Write the months"),
        (changed(retention_months=-60), "retention_months: -60 keeps nothing"),
        (times(known_from={"usual_lag_days": -1}), LAG),
        (times(known_from={"usual_lag_days": float("nan")}), LAG),
        (times(known_from={"usual_lag_days": 1e9}), LAG),
        (added(min=2, max=1), r"field 'extra': min 2\.0 is above max 1\.0\. Exchange"),
        (added(min=float("nan")), "field 'extra': min, max or a special code is no finite number. Write a number"),
        (added(max=float("inf")), "field 'extra': min, max or a special code is no finite number"),
        (added(special_codes=[float("nan")]), "field 'extra': min, max or a special code"),
        (changed(dataset="../wages"), "dataset: '../wages' is no name of a dataset. Take letters"),
        (changed(dataset="wages/2024"), "'wages/2024' is no name"),
        (changed(dataset=""), "dataset: '' is no name"),
        (changed(dataset="wages\n"), "is no name of a dataset"),
        (changed(subject_field="../id"), "field '../id' has a name that is none. Take letters"),
        (added(name="a/b"), "field 'a/b' has a name that is none"),
        (added(name=".."), r"field '\.\.' has a name that is none"),
        (added(name="pay\n"), "has a name that is none"),
        (added(name=""), "field '' has a name that is none"),
        ("schema: 1\nschema: 1\n", "c.yaml:2:1: not valid YAML: the key 'schema' stands twice. Mend that line"),
        ("a: {b: {x: 1, 'x': 2}}", r"c.yaml:1:15: not valid YAML: the key 'x' stands twice"),
        ("schema: !!int one", "not valid YAML: invalid literal"),
        ("[" * 5000, "it is nested too deeply. Take levels away"),
        ("a: " + "{a: " * 5000, "it is nested too deeply"),
        ("[" * 200_000 + "]" * 200_000, "it is nested too deeply"),
        ("- " * 200_000, "it is nested too deeply"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_field_and_remedy(tmp_path, document, message) -> None:
    with pytest.raises(BrokenDocument, match=message) as refused:
        load_contract(put(tmp_path / "c.yaml", document))
    assert "c.yaml" in refused.value.place


@pytest.mark.parametrize(
    "label",
    [
        {"name": "性别"}, {"name": "Sex"}, {"name": "maritalStatus"}, {"name": "SEX_1"}, {"name": "kh_xingbie"},
        {"name": "minzu"}, {"name": "zongjiao"}, {"zh": "客户性别"}, {"zh": "所属民族"}, {"zh": "宗教信仰"},
        {"zh": "健康状况"}, {"zh": "政治面貌"}, {"zh": "婚姻状况"}, {"zh": "是否党员"}, {"zh": "重大疾病"},
        {"en": "Sex of the applicant"}, {"en": "gender (1 = male)"}, {"en": "ethnic group"}, {"en": "Religion"},
        {"en": "state of health"}, {"en": "political status"}, {"en": "marital status"},
    ],
    ids=lambda label: "-".join(*label.items()),
)  # fmt: skip
def test_a_protected_attribute_does_not_hide_behind_a_name(tmp_path, label) -> None:
    told = "name" if "name" in label else "label"
    message = f"is by its {told} an attribute that no feature may use. Leave it out, or mark it"
    with pytest.raises(BrokenDocument, match=message) as refused:
        load_contract(put(tmp_path / "c.yaml", added(**label)))
    assert "rename" not in str(refused.value).lower()


@pytest.mark.parametrize(
    "label",
    [
        {"en": "amount owed by the other party"},
        {"name": "sextant"},
        {"name": "近-1.年 数"},
        {"name": "a.b-c"},
    ],
    ids=["other_party", "part_of_a_word", "chinese", "dots"],
)
def test_what_only_looks_like_it_is_taken(tmp_path, label) -> None:
    assert len(load_contract(put(tmp_path / "c.yaml", added(**label))).fields) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "loans"}, "loan.yaml: dataset: 'loans' is not the file's name. Rename one"),
        ({"department": "moon"}, "loan.yaml: department: 'moon' is not in the catalogue. Add it to departments.yaml"),
    ],
    ids=["dataset", "department"],
)  # fmt: skip
def test_a_shipped_contract_has_its_files_name_and_a_known_department(change, message) -> None:
    path = BUILTIN / "loan.yaml"
    contract = load_contract(path)
    check_shipped(contract, path)
    with pytest.raises(BrokenDocument, match=message):
        check_shipped(msgspec.structs.replace(contract, **change), path)


def test_every_contract_that_is_shipped_makes_sense() -> None:
    assert load_contracts([BUILTIN])
    for folder in sorted(PORTFOLIOS.glob("*/contracts")):
        assert load_contracts([folder]), folder.parent.name


@pytest.mark.parametrize("kind", [FieldType.ID, FieldType.PERSONAL])
@pytest.mark.parametrize("times", [1, 400], ids=["few", "repeated"])
def test_texts_that_hide_something_are_quarantined(kind: FieldType, times: int) -> None:
    controls = ["\x00", "\x07", "\t", "\n", "\x1f", "\x7f", "\x80", "\x9f"]
    turns = ["\u202a", "\u202e", "\u2066", "\u2069"]
    bad = [f"张{mark}三" for mark in (*controls, *turns)] + ["a\u202e"]
    good = ["张三", " LN 3 ", "x\n", "\u2029", "é\u00a0e\u202f\u2065\u206a", "长" * 500, "", None]
    texts = [*bad, "长" * 501, *good]
    found = convert_column(Field("who", kind), pa.array(texts * times, pa.string()))
    where = {name: np.flatnonzero(rows[: len(texts)]).tolist() for name, rows in found.problems.items()}
    assert where == {"control character": list(range(len(bad))), "too long": [len(bad)]}
    assert all(rows.sum() == len(where[name]) * times for name, rows in found.problems.items())
    assert set(found.problems) <= set(REMEDIES)
