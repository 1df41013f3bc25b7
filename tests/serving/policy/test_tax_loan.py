"""A third product made of data alone: the tax loan of a micro-business, on the firm's records and its owner's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from features.identity.numbers import uscc_check_digit
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.governance import committee
from serving.governance.exchange import weigh
from serving.policy.load import CITY, TAX_LOAN, draft_from_yaml, policy_from_yaml
from serving.registry.model import Kind
from tests.serving.feeding import ingest
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, PLAN, POOR, Bank, Client, months
from training.portfolio import find_portfolio

TAX = "id_number period sales tax status published_at"
FIRMS = "uscc owner_id_number registered_on cancelled_on status capital industry published_at"
EVERYTHING = {"product": "tax_loan", "amount_yuan": "150000", "term_months": 12, "purpose": "working_capital"}


def firm_number(order: int) -> str:
    """A valid unified social credit code."""
    body = f"91330106MA2A1{order:04d}"
    return body + uscc_check_digit(body)


@pytest.fixture(scope="module", autouse=True)
def tax_loan(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> None:
    """GOOD, LATE and DISHONEST file for a firm each, MIDDLE is in arrears, POOR has no firm."""
    folder = tmp_path_factory.mktemp("firms")
    owners = (GOOD, LATE, DISHONEST, MIDDLE)
    firms = [
        [firm_number(k), who, "2019-03-01", "", "normal", 500_000, "retail", "2019-03-05T09:00:00"]
        for k, who in enumerate(owners)
    ]
    filings = [
        [
            who,
            month,
            40_000,
            1_200,
            "arrears" if who == MIDDLE and k > 11 else "on_time",
            f"{month}-28T09:00:00",
        ]
        for who in owners
        for k, month in enumerate(months(14))
    ]
    ingest(bank, folder / "a", "business_registration", FIRMS, firms)
    ingest(bank, folder / "b", "tax_filing", TAX, filings)
    card = weigh(find_portfolio("city").parent / "tax_loan.yaml", "city", folder / "models")
    bank.approved("bundle.tax_loan", Kind.BUNDLE, card.path.read_bytes())
    bank.approved("policy.tax_loan", Kind.POLICY, policy_from_yaml(TAX_LOAN).data)


def apply(client: Client, number: str, **changes: Any) -> dict[str, Any]:
    """Apply for a tax loan."""
    return dict(client.decide(number, client.consent_id(number), **(EVERYTHING | changes)).json())


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        (POOR, ["NO_FIRM", "TAX_HISTORY_SHORT"]),
        (MIDDLE, ["TAX_ARREARS"]),
        (DISHONEST, ["DISHONEST_DEBTOR", "OPEN_ENFORCEMENT"]),
    ],
)
def test_firm_and_owner_are_asked_by_rules_of_the_product(
    client: Client, number: str, codes: list[str]
) -> None:
    answer = apply(client, number)
    told = [reason["code"] for reason in answer["reasons"] if reason["kind"] == "rule"]
    assert (answer["outcome"], told) == ("decline", codes)


def test_a_firm_in_order_is_lent_to_by_its_sales_and_its_own_model(client: Client, bank: Bank) -> None:
    answer = apply(client, GOOD)
    assert (answer["outcome"], answer["stream"], answer["score"]["model"]) == (
        "approve",
        "policy",
        "tax_loan",
    )
    assert (
        answer["limit_fen"] == 10_500_000
    )  # eight times the tax of the 11 months that are known, in whole thousands
    assert (answer["offer"]["bound_by"], answer["offer"]["counter_offer"]) == ("tax", True)
    assert "LIMIT_BY_TAX" in {reason["code"] for reason in answer["reasons"]}
    assert set(answer["digests"]) == {"bundle.tax_loan", "definitions", "policy.tax_loan"}
    name = UUID(answer["decision_id"])
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), name)
    assert (found.status, found.differences) == (ReplayStatus.SAME, ())


def test_the_owners_arrears_elsewhere_count_in_the_score(client: Client) -> None:
    good, late = apply(client, GOOD), apply(client, LATE)
    assert late["grade"] > good["grade"]
    assert late["pd"] > good["pd"]


def test_other_products_are_decided_as_before(client: Client) -> None:
    answer = client.decide(GOOD, client.consent_id(GOOD)).json()
    assert answer["score"]["model"] == "risk"
    assert set(answer["digests"]) >= {"policy", "bundle.risk"}


def test_the_policy_has_no_finding_and_never_takes_the_place_of_the_banks_main_one() -> None:
    policy, found = draft_from_yaml(TAX_LOAN, PLAN.columns)
    assert (policy is not None, found) == (True, [])
    main = policy_from_yaml(CITY)
    assert policy is not None
    assert committee.slot_of(policy, main) == "policy.tax_loan"
    assert committee.slot_of(main, main) == committee.slot_of(policy, None) == "policy"
