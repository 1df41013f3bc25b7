"""A policy for loans asks who applies and whether money laundering was checked, discloses, and names its sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.policy.findings import Finding, Severity
from serving.policy.load import CITY, HOUSING, TAX_LOAN, draft, draft_from_yaml
from serving.policy.required import known_sources
from tests.serving.policy.documents import changed, findings, rule

Change = Callable[[dict[str, Any]], object]
REFERRED = {"no_record": "refer", "source_down": "refer", "not_authorised": "refer"}


def without(*ids: str) -> Change:
    """The policy without some rules of its first gate."""

    def change(document: dict[str, Any]) -> None:
        gate = document["gates"][0]
        gate["rules"] = [each for each in gate["rules"] if each["id"] not in ids]

    return change


def first(at: int, **values: Any) -> Change:
    """Another rule of the first gate."""
    return lambda document: document["gates"][0]["rules"][at].update(values)


def errors(change: Change) -> list[Finding]:
    """What of these is found."""
    return [each for each in findings(change) if each.severity is Severity.ERROR]


@pytest.mark.parametrize("path", [CITY, HOUSING, TAX_LOAN], ids=lambda path: path.stem)
def test_what_is_shipped_asks_all_that_is_demanded(path: Path) -> None:
    assert draft_from_yaml(path)[1] == []


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (without("ID-01"), "identity_gate", "identity is 'failed'"),
        (without("ID-02"), "identity_gate", "identity is 'inconclusive'"),
        (without("ID-03"), "aml_gate", "aml is 'hit'"),
        (without("ID-04"), "aml_gate", "aml is 'possible'"),
        (first(0, scope={"products": ["business"]}), "identity_gate", "identity is 'failed'"),
        (first(2, effective_to="2027-01-01"), "aml_gate", "aml is 'hit'"),
        (first(3, effective_from="2027-01-01"), "aml_gate", "aml is 'possible'"),
    ],
)
def test_what_is_bad_or_open_of_a_check_has_to_stop_everybody(change: Change, code: str, told: str) -> None:
    (found,) = [each for each in errors(change) if each.code.endswith("_gate")]
    assert (found.code, found.place, told in found.problem) == (code, "gates", True)
    assert found.remedy


def test_what_was_not_checked_may_not_pass() -> None:
    def change(document: dict[str, Any]) -> None:
        for each in document["gates"][0]["rules"]:
            if each["id"] in {"ID-03", "ID-04"}:
                each["missing"] = {**REFERRED, "no_record": "pass"}

    (found,) = [each for each in errors(change) if each.code.endswith("_gate")]
    assert (found.code, found.place) == ("aml_gate", "ID-03")
    assert "not checked passes" in found.problem


def test_one_rule_may_ask_for_both_in_whatever_words() -> None:
    asked = rule(
        "ALL", "refer", "any", ("identity", "ne", "passed"), ("aml", "not_in", ["clear"]), missing=REFERRED
    )

    def change(document: dict[str, Any]) -> None:
        document["gates"][0]["rules"] = [asked]

    found = [each for each in errors(change) if each.code.endswith("_gate")]
    assert all("may override" in each.problem for each in found)


@pytest.mark.parametrize(
    ("place", "values"), [(0, {"force": "soft"}), (2, {"force": "soft"}), (0, {"effect": "refer"})]
)
def test_nobody_may_override_a_failed_identity_or_a_hit(place: int, values: dict[str, Any]) -> None:
    found = [each for each in errors(first(place, **values)) if "may override" in each.problem]
    assert [each.code for each in found] == [("identity_gate", "", "aml_gate")[place]]


@pytest.mark.parametrize("name", ["collection", "complaint", "liability"])
def test_an_offer_needs_its_disclosures(name: str) -> None:
    (found,) = errors(lambda document: document["disclosure"].pop(name))
    assert (found.code, found.place) == ("disclosure_missing", f"disclosure.{name}")


@pytest.mark.parametrize(
    "source", ["", "test", "REG-IL-99", "REG-IL", "house:", "house: ", "reg-il-01", "bank2"]
)
def test_a_source_is_a_known_rule_or_the_banks_own(source: str) -> None:
    (found,) = errors(first(0, source=source))
    assert (found.code, found.place) == ("unknown_source", "ID-01 source")
    (found,) = errors(lambda d: d["tables"]["rate_caps"][0].update(source=source))
    assert (found.code, found.place.startswith("tables.rate_caps: ")) == ("unknown_source", True)


@pytest.mark.parametrize("source", ["house", "house:resolution 2027-03", "bank", *known_sources().rules[::9]])
def test_every_known_source_is_taken(source: str) -> None:
    assert errors(first(0, source=source)) == []


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_a_number_that_is_none_is_refused_with_its_place(tmp_path: Path, number: str) -> None:
    path = tmp_path / "policy.yaml"
    text = CITY.read_text(encoding="utf-8")
    text = text.replace("op: lt, value: 4}", f"op: lt, value: {number}}}", 1)
    path.write_text(
        text.replace(
            "fact: court_enforced_open, op: ge, value: 1",
            f"fact: court_enforced_open, op: ge, value: {number}",
            1,
        ),
        encoding="utf-8",
    )
    policy, found = draft_from_yaml(path)
    assert policy is None
    assert [(each.code, each.place) for each in found] == [
        ("no_number", "gates[court].rules[KO-02].when.any[0].value"), ("no_number", "segments[thin_file].when.all[0].value"),
    ]  # fmt: skip
    assert all(each.remedy for each in found)


def test_a_policy_of_the_first_schema_was_approved_without_and_stays_so() -> None:
    golden = Path(__file__).parent / "golden" / "policy_1.json"
    assert draft(golden.read_bytes())[1] == []
    assert changed(lambda _: None) != golden.read_bytes()
