"""Every finding of the static analysis once, with the place that it names; and a shipped policy has none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.canonical import canonical_bytes
from features.errors import Integrity
from serving.policy.analysis import analyse
from serving.policy.days import first_day
from serving.policy.findings import Severity
from serving.policy.load import BrokenPolicy, check_against, draft, load_policy, read_policy
from tests.architecture.test_guards import ROOT
from tests.serving.policy.documents import CITY_POLICY, changed, document_of, findings, rule
from tests.serving.world import PLAN

COLUMNS = {column.name: column for column in PLAN.columns}
Change = Callable[[dict[str, Any]], object]


def at(*path: Any, value: Any) -> Change:
    """A change of one value."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def row(table: str, place: int, **values: Any) -> Change:
    """A change of one row."""
    return lambda document: document["tables"][table][place].update(values)


def added(*rules: dict[str, Any]) -> Change:
    """Rules after all others."""
    return lambda document: document["gates"][-1]["rules"].extend(rules)


def without(table: str, place: int) -> Change:
    """One row less."""
    return lambda document: document["tables"][table].pop(place)


def segment_after(name: str, when: dict[str, Any]) -> Change:
    """A segment after all others, which no table names."""
    stated = {"id": name, "when": when, "unknown": "next", "zh": "段", "en": "segment"}
    return lambda document: document["segments"].append(stated)


FIRST = ("gates", 0, "rules", 0)
THIN = {
    "all": [
        *(
            {"fact": fact, "op": "lt", "value": 2}
            for fact in ("sources_with_record", "bur_normal_months_24m")
        ),
        {"fact": "list.preapproved", "op": "ne", "value": 1},
    ]
}
SHAPES: dict[str, tuple[Change, str, str]] = {
    "a rule id twice": (at("gates", 0, "rules", 1, "id", value="ID-01"), "ID-01", "rule id stands twice"),
    "a segment called general": (at("segments", 0, "id", value="general"), "general", "segment stands twice"),
    "a row id twice": (row("prices", 1, id="p2020-1"), "tables.prices: p2020-1", "row id stands twice"),
    "an effect": (at(*FIRST, "effect", value="pass"), "ID-01", "not refer or decline"),
    "a kind of missing": (at(*FIRST, "missing", "no_record", value="ignore"), "ID-01", "missing.no_record"),
    "no condition": (at(*FIRST, "when", "any", value=[]), "ID-01", "exactly one of"),
    "an order of texts": (at(*FIRST, "when", "any", 0, "op", value="ge"), "ID-01", "has no ge"),
    "a number for a text": (at(*FIRST, "when", "any", 0, "value", value=1), "ID-01", "compared with texts"),
    "a text for a number": (added(rule("N", "refer", "any", ("age_years", "lt", "18"))), "N", "with numbers"),
    "a boolean": (added(rule("N", "refer", "any", ("age_years", "lt", True))), "N", "with numbers"),
    "one value in a list": (added(rule("N", "refer", "any", ("x", "in", 3))), "N", "a list of values"),
    "an end before the begin": (
        row("prices", 0, effective_to="2020-07-17"), "tables.prices: p2020-1", "it ends before it begins",
    ),
    "a day that is none": (at("effective_from", value="soon"), "effective_from", "not an ISO date"),
    "a grade beyond the scale": (row("cutoffs", 2, grades=[9, 11]), "tables.cutoffs: known-decline", "1 to 10"),
    "a term beyond an application": (row("prices", 6, terms=[1, 400]), "tables.prices: p2024-1-year", "1 to 360"),
    "an unknown segment": (row("limits", 0, segments=["rich"]), "tables.limits: known-1", "no segment 'rich'"),
    "an unknown product": (
        at(*FIRST, "scope", value={"products": ["gold"]}), "ID-01", "there is no product 'gold'",
    ),
    "no cap": (at("tables", "rate_caps", value=[]), "tables.rate_caps", "there is no row"),
    "no limits": (lambda document: document.pop("limits"), "limits", "a policy for credit needs it"),
    "a model in a policy of eligibility": (at("kind", value="eligibility"), "tables", "no model, tables or offer"),
    "its own challenger": (at("challengers", value=["risk"]), "challengers", "own challenger"),
}  # fmt: skip
ERRORS: dict[str, tuple[Change, str, str, str]] = {
    "a grade without a row": (
        row("cutoffs", 0, grades=[2, 7]), "gap", "tables.cutoffs", "segment firm_owner, grade 1, days from 2020-07-17 to 2026-09-30",
    ),
    "a term without a price": (
        row("prices", 12, terms=[25, 360]), "gap", "tables.prices", "grade 1 to 2, term 13 to 24, days from 2024-07-01 on",
    ),
    "days without a price": (
        row("prices", 0, effective_to="2024-06-01"), "gap", "tables.prices", "days from 2024-06-01 to 2024-06-30",
    ),
    "a segment without a row": (
        segment_after("other", {"any": [{"fact": "age_years", "op": "lt", "value": 25}]}), "gap", "tables.limits",
        "segment other",
    ),
    "a product without a cap": (without("limit_caps", 1), "gap", "tables.limit_caps", "product business"),
    "two rows for a grade": (
        row("cutoffs", 0, grades=[1, 8]), "overlap", "tables.cutoffs", "known-approve and known-refer both hold",
    ),
    "two prices on a day": (
        row("prices", 0, effective_to="2024-07-02"), "overlap", "tables.prices", "days from 2024-07-01 to 2024-07-01",
    ),
    "a rate above its cap": (
        row("rate_caps", 0, value=185_000), "above_cap", "tables.prices: p2020-9", "above the cap bank-24",
    ),
    "a random rate above the cap": (
        at("random_approval", "rate_ppm", value=240_001), "above_cap", "random_approval", "above the cap bank-24",
    ),
    "a limit below the smallest loan": (
        row("limits", 0, max_limit_fen=199_999), "too_small", "tables.limits: known-1", "below the smallest loan",
    ),
    "no share of the inflow": (
        row("limits", 0, inflow_share_ppm=0), "too_small", "tables.limits: known-1", "no share of the inflow",
    ),
    "a cap below the smallest loan": (
        row("limit_caps", 0, value=1), "too_small", "tables.limit_caps: consumer-200k", "below the smallest loan",
    ),
    "an unverified limit too small": (at("limits", "unverified_limit_fen", value=5), "too_small", "limits", "below"),
    "a random limit too small": (at("random_approval", "max_limit_fen", value=5), "too_small", "random_approval", "below"),
    "a cap on loss without a loss given default": (
        at("random_approval", "lgd_ppm", value=None), "part_missing", "random_approval", "both",
    ),
    "more lost than was lent": (at("random_approval", "lgd_ppm", value=1_000_001), "range", "random_approval", "within 1"),
    "no step": (at("limits", "step_fen", value=0), "step", "limits", "step_fen is above zero"),
    "a worse grade pays less": (
        row("prices", 11, rate_ppm=1), "price_order", "tables.prices: p2024-1-year", "pays less in p2024-9-year",
    ),
    "a worse grade fares better": (
        lambda d: (d["tables"]["cutoffs"][0].update(outcome="decline"), d["tables"]["cutoffs"][2].update(outcome="approve")),
        "outcome_order", "tables.cutoffs: known-approve", "fares better",
    ),
    "a rule that another hides": (
        added(rule("X", "refer", "any", ("sources_with_record", "lt", 2), missing=dict.fromkeys(
            ("no_record", "source_down", "not_authorised"), "pass"))),
        "unreachable", "X", "SC-03 strikes before it",
    ),
    "a segment that another hides": (segment_after("thinner", THIN), "unreachable", "segment thinner", "no case comes"),
    "conditions that contradict": (
        added(rule("X", "refer", "all", ("age_years", "lt", 3), ("age_years", "gt", 5))),
        "contradiction", "X", "contradict each other",
    ),
    "a condition that is never true": (
        added(rule("X", "refer", "any", ("age_years", "lt", 0), ("age_years", "gt", 90))),
        "never_true", "X", "the condition on age_years can never be true",
    ),
    "a count below nothing": (
        added(rule("X", "refer", "any", ("veh_owned_cnt", "lt", 0))), "never_true", "X", "never be true",
    ),
    "conditions that are always true": (
        added(rule("X", "refer", "any", ("age_years", "lt", 50), ("age_years", "ge", 50))),
        "always_true", "X", "true of every case",
    ),
    "a word that is none of a fact's": (
        at(*FIRST, "when", "any", 0, "value", value="lost"), "outside_codes", "ID-01", "identity is never 'lost'",
    ),
    "a word that is none of a feature's": (
        added(rule("X", "refer", "any", ("farm_kind", "eq", "ranch"))), "outside_codes", "X", "never 'ranch'",
    ),
    "a flag that is neither": (
        added(rule("X", "refer", "any", ("list.deny", "ge", 2))), "outside_codes", "X", "list.deny is never 2",
    ),
    "a purpose that has no name": (
        added(rule("X", "refer", "any", ("purpose", "eq", "gambling"))), "outside_codes", "X", "purpose is never 'gambling'",
    ),
    "a feature that does not exist": (
        added(rule("X", "refer", "any", ("bur_cur_overdue_amt", "ge", 9e9), ("bur_no_such", "ge", 1))), "unknown_fact",
        "X when.any[1].fact", "no definition gives the feature 'bur_no_such'",
    ),
    "a segment by a feature that does not exist": (
        at("segments", 0, "when", "all", 1, "fact", value="bur_no_such"), "unknown_fact",
        "segment thin_file when.all[1].fact", "'bur_no_such'",
    ),
    "a limit by a feature that does not exist": (
        at("limits", "supports", 0, "fact", value="tax_no_such"), "unknown_fact", "limits.supports: tax fact", "'tax_no_such'",
    ),
    "no Chinese": (at(*FIRST, "zh", value=""), "text_missing", "ID-01", "Chinese text is missing"),
    "Chinese for English": (at(*FIRST, "en", value="用途"), "text_missing", "ID-01", "English text is missing"),
    "a product without English": (
        at("products", "consumer", "en", value=""), "text_missing", "products.consumer", "English text is missing",
    ),
    "a limit that cannot be told": (
        lambda d: d["limits"]["reasons"].pop("cap"), "text_missing", "limits.reasons", "no text for 'cap'",
    ),
    "a vague reason": (at(*FIRST, "en", value="Internal standards not met"), "vague", "ID-01", "REG-AA-02"),
    "a vague reason in Chinese": (at(*FIRST, "zh", value="综合评分不足"), "vague", "ID-01", "REG-AA-02"),
    "a vague reason of a limit": (
        at("limits", "reasons", "too_small", "en", value="Score too low"), "vague", "limits.reasons.too_small", "REG-AA-02",
    ),
    "a PD that is none": (at("withheld", "max_pd_high", value=20), "range", "withheld", "not between 0 and 1"),
    "a random stream of no grade": (at("random_approval", "first", value=10), "range", "random_approval", "no range"),
    "a rule that is over": (
        added(rule("X", "refer", "any", ("age_years", "gt", 90), effective_to="2019-01-01")),
        "never_in_force", "X", "over before the policy begins",
    ),
}  # fmt: skip


def test_the_shipped_policy_has_no_finding() -> None:
    assert draft(CITY_POLICY.data, PLAN.columns)[1] == []
    assert analyse(CITY_POLICY, COLUMNS, first_day("2026-11-26")) == []


@pytest.mark.parametrize(("change", "place", "problem"), SHAPES.values(), ids=SHAPES)
def test_what_cannot_be_made_ready_is_found_and_refused_on_load(change, place, problem) -> None:
    found = findings(change)
    assert (place, Severity.ERROR) in {
        (each.place, each.severity) for each in found if problem in each.problem
    }
    assert all(each.remedy for each in found)
    with pytest.raises(BrokenPolicy):
        load_policy(changed(change))


@pytest.mark.parametrize(("change", "code", "place", "problem"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_be_decided_or_told_is_found_with_place_and_remedy(change, code, place, problem) -> None:
    found = findings(change, columns=PLAN.columns)
    mine = {(each.place, each.severity) for each in found if problem in each.problem and each.code == code}
    assert (place, Severity.ERROR) in mine
    assert all(each.remedy for each in found)


def test_rows_that_run_out_within_a_year_are_found_on_the_day_only() -> None:
    policy = load_policy(changed(row("rate_caps", 0, effective_to="2027-01-01")))
    assert analyse(policy, COLUMNS, first_day("2025-12-31")) == []
    (found,) = analyse(policy, COLUMNS, first_day("2026-06-01"))
    assert (found.code, found.place) == ("runs_out", "tables.rate_caps")
    assert "its last row ends on 2027-01-01" in found.problem


def test_a_rule_over_too_many_facts_is_left_open_and_said_to_be() -> None:
    wide = rule("W", "refer", "any", *((f"x{k}", "gt", k) for k in range(12)))
    document = document_of(wide)
    (found,) = (each for each in draft(canonical_bytes(document))[1] if each.place == "W")
    assert (found.code, found.severity) == ("too_wide", Severity.WARNING)


def test_a_refusal_names_the_first_error_and_how_many_more_there_are() -> None:
    def change(document: dict[str, Any]) -> None:
        for gate in document["gates"][:3]:
            gate["rules"][0]["en"] = ""

    with pytest.raises(BrokenPolicy, match=r"ID-01: the English text is missing.*2 more"):
        load_policy(changed(change))


def test_what_is_no_policy_of_a_known_schema_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(BrokenPolicy, match="schema 3 is not known"):
        load_policy(changed(at("schema", value=3)))
    with pytest.raises(Integrity, match="unknown field"):
        load_policy(changed(at("surprise", value=1)))
    with pytest.raises(Integrity, match="canonical"):
        load_policy(CITY_POLICY.data + b"\n")


def test_what_was_approved_is_read_for_ever_whatever_an_analysis_learned_to_find() -> None:
    vague = changed(at(*FIRST, "en", value="Internal standards not met"))
    assert read_policy(vague).document.gates[0].rules[0].en == "Internal standards not met"


def test_a_policy_does_not_fit_definitions_that_lack_its_features() -> None:
    check_against(CITY_POLICY, CITY_POLICY.facts)
    with pytest.raises(BrokenPolicy, match="bur_cur_overdue_amt"):
        check_against(CITY_POLICY, CITY_POLICY.facts - {"bur_cur_overdue_amt"})


def test_old_policies_are_analysed_as_the_tables_that_they_amount_to() -> None:
    data = (Path(__file__).parent / "golden" / "policy_1.json").read_bytes()
    assert draft(data, PLAN.columns)[1] == []


def test_the_page_for_the_committee_tells_every_finding() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "serving" / "policy").glob("*.py")]
    codes = {code for source in sources for code in re.findall(r'\b(?:error|warning)\(\s*"(\w+)"', source)}
    assert len(codes) > 25
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


def test_a_score_reason_that_tells_nothing_is_refused() -> None:
    found = findings(lambda d: d["score_reason"].update(en="Internal standards were not met"))
    assert ("vague", "score_reason") in {(one.code, one.place) for one in found}
