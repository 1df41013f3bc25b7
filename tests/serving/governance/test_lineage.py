"""Every feature in force with its definition, its sources and all that reads it."""

from __future__ import annotations

import pytest

from serving.access.model import Permission
from serving.governance.lineage import Catalogue, UnknownFeature, catalogue
from tests.serving.world import PLAN, Bank


@pytest.fixture(scope="module")
def known(bank: Bank) -> Catalogue:
    return catalogue(bank.database, bank.authority("analyst", Permission.READ_REGISTRY), bank.clock())


def test_every_column_of_the_plan_is_there_once_in_its_order(known: Catalogue) -> None:
    assert list(known.features) == [column.name for column in PLAN.columns]
    assert [one.column for one in known.features.values()] == list(PLAN.columns)


def test_every_source_is_a_contract_and_every_part_a_feature(known: Catalogue) -> None:
    for one in known.features.values():
        assert set(one.datasets) <= {*known.contracts, "request"}, one.column.name
        assert set(one.parts) <= set(known.features)
        assert all(known.feature(each).definition is one.definition for each in one.siblings)


def test_models_and_rules_in_force_are_told_by_what_they_read(known: Catalogue) -> None:
    readers = {each.slot for each in known.feature("bur_overdue_cnt_12m").readers}
    assert readers >= {"bundle.risk", "bundle.rating"}
    of_model = known.some("", "", "bundle.risk")
    assert {one.column.name for one in of_model} == {
        "bur_overdue_cnt_12m",
        "bank_inflow_sum_12m",
        "ss_months_12m",
    }
    assert any(each.slot == "policy" for one in known.features.values() for each in one.readers)


def test_words_find_names_in_both_languages(known: Catalogue) -> None:
    name = "bur_overdue_cnt_12m"
    one = known.feature(name)
    for words in (name, one.column.zh, one.column.en.upper(), f"{one.column.en} 12m"):
        assert one in known.some(words, "", "")
    assert known.some("nothing is called so", "", "") == []
    assert all("court_case" in one.datasets for one in known.some("", "court_case", ""))
    with pytest.raises(UnknownFeature):
        known.feature("nothing")
