"""The table of rules: each is held by tests that there are, or says why not; and nobody names one that is not in it."""

from __future__ import annotations

import re

from serving.policy.required import known_sources
from tests.architecture.proofs import AGAIN, RULES_PAGE, State, missing_tests, rules, rules_page
from tests.architecture.test_guards import ROOT, text_of, tracked

TABLE = rules()
ID = re.compile(r"\bREG-[A-Z]+-(?!99\b)\d+\b")
"""Number 99 is no rule of any area: tests name it where an unknown one is meant."""


def test_every_id_is_there_once_and_in_order() -> None:
    ids = [rule.id for rule in TABLE.rules]
    areas = list(TABLE.areas)
    assert all(re.fullmatch(r"REG-[A-Z]+-\d{2}", one) for one in ids)
    assert ids == sorted(set(ids), key=lambda one: (areas.index(one.split("-")[1]), one))
    for area in areas:
        numbers = [int(one[-2:]) for one in ids if one.split("-")[1] == area]
        assert numbers == list(range(1, len(numbers) + 1)), area


def test_every_test_that_is_named_exists() -> None:
    assert missing_tests(one for rule in TABLE.rules for one in rule.tests) == []


def test_what_is_met_is_held_by_tests_and_what_is_not_says_why() -> None:
    for rule in TABLE.rules:
        assert bool(rule.tests) is (rule.state is not State.OUT), rule.id
        assert rule.note or rule.state is State.MET, rule.id
        assert rule.zh, rule.id
        assert rule.en, rule.id


def test_every_id_that_code_tests_and_pages_name_is_in_the_table() -> None:
    known = {rule.id for rule in TABLE.rules}
    files = tracked("features", "training", "serving", "tests", "docs", "mlflow", "notebooks", "README.md")
    named = {one: path.relative_to(ROOT) for path in files for one in ID.findall(text_of(path))}
    assert {one: path for one, path in named.items() if one not in known} == {}


def test_what_a_policy_may_name_is_in_the_table_as_it_stands() -> None:
    assert set(known_sources().rules) <= {rule.id for rule in TABLE.rules}


def test_the_page_is_that_of_the_table() -> None:
    assert text_of(RULES_PAGE) == rules_page(TABLE), AGAIN
