"""A person is bound by the policy of the decision and by the one in force now: of each cap the stricter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.canonical import canonical_bytes
from serving.cases.bounds import bounds_of, stricter
from serving.registry.model import Kind
from tests.serving.cases.desk import agree, case_of, decide, decided, second_officer, view
from tests.serving.cases.test_bounds import NOW, RECEIPT
from tests.serving.offers.desk import promised, shown
from tests.serving.policy.documents import plain
from tests.serving.world import MIDDLE, Bank, Client, problem

pytestmark = pytest.mark.usefixtures("nothing_promised")
LIMIT, RATE = 1_000_000, 100_000


def policy(**tables: Any) -> bytes:
    """The city's policy without chance, some of its tables replaced."""
    document = {name: value for name, value in plain().items() if name != "random_approval"}
    return canonical_bytes(document | {"tables": document["tables"] | tables})


def cap(value: int) -> list[dict[str, Any]]:
    return [{"id": "small", "effective_from": "2020-07-17", "source": "REG-IL-02", "value": value}]


@pytest.fixture
def case(client: Client, bank: Bank) -> str:
    """A case of a decision under the wider policy."""
    second_officer(bank)
    bank.approved("policy", Kind.POLICY, policy())
    return str(case_of(client, decided(client, MIDDLE, "refer"))["case_id"])


@pytest.mark.parametrize(
    ("table", "value", "place"),
    [("limit_caps", LIMIT // 2, "terms.limit_fen"), ("rate_caps", RATE - 1, "terms.annual_rate_ppm")],
)
def test_a_cap_that_was_lowered_since_binds_a_person(
    client: Client, bank: Bank, case: str, table: str, value: int, place: str
) -> None:
    before = view(client, case)
    rows = [row | {"value": value} for row in plain()["tables"][table]]
    prices = [row | {"rate_ppm": min(row["rate_ppm"], RATE - 1)} for row in plain()["tables"]["prices"]]
    bank.approved("policy", Kind.POLICY, policy(**{table: rows, "prices": prices}))
    problem(decide(client, case, seen=before["seen"]), 409, "case_changed")
    terms = {"limit_fen": LIMIT, "annual_rate_ppm": RATE}
    assert problem(decide(client, case, terms=terms), 422)["place"] == place
    bank.approved("policy", Kind.POLICY, policy())
    assert decide(client, case, terms=terms).status_code == 200


def test_a_household_s_cap_that_was_lowered_since_binds_a_person(
    client: Client, bank: Bank, case: str
) -> None:
    bank.approved("policy", Kind.POLICY, policy(exposure_caps=cap(500_000)))
    assert view(client, case)["cap_left_fen"] == 500_000
    terms = {"limit_fen": LIMIT, "annual_rate_ppm": RATE}
    assert "500000" in problem(decide(client, case, terms=terms), 409, "cap_full")["remedy"]
    done = decide(client, case, terms=terms | {"limit_fen": 500_000}).json()
    assert (shown(client, done["linked_id"])["limit_fen"], promised(bank)) == (500_000, 500_000)


def test_a_cap_that_was_raised_since_does_not_widen_what_the_decision_s_own_policy_allows(
    client: Client, bank: Bank
) -> None:
    second_officer(bank)
    bank.approved("policy", Kind.POLICY, policy(exposure_caps=cap(500_000)))
    name = decided(client, MIDDLE, "refer")
    bank.approved("policy", Kind.POLICY, policy())
    case = str(case_of(client, name)["case_id"])
    assert view(client, case)["cap_left_fen"] == 500_000
    problem(decide(client, case), 409, "cap_full")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 400_000), st.integers(0, 400_000))
def test_the_stricter_bounds_are_within_both(limit: int, other: int, rate: int, lower: int) -> None:
    def made(most: int, ppm: int) -> bytes:
        document = plain()["tables"]
        rows = [row | {"value": most * 100_000} for row in document["limit_caps"]]
        return policy(limit_caps=rows, rate_caps=[row | {"value": ppm} for row in document["rate_caps"]])

    first, second = made(limit, rate), made(other, lower)
    then, now = bounds_of(first, RECEIPT, NOW), bounds_of(second, RECEIPT, NOW)
    found = stricter(first, second, RECEIPT, NOW)
    assert found.most_fen == min(then.most_fen, now.most_fen)
    assert found.most_rate_ppm == min(rate, lower)
    assert stricter(first, first, RECEIPT, NOW) == then


def test_what_no_policy_in_force_names_is_not_granted() -> None:
    found = stricter(policy(), None, RECEIPT, NOW)
    assert (found.most_fen, found.most_rate_ppm) == (0, 0)


@pytest.mark.parametrize(
    ("rate", "state"), [(0, "awaiting_second"), (41_999, "awaiting_second"), (42_000, "decided")]
)
def test_less_than_the_lowest_price_is_not_granted_alone(
    client: Client, case: str, rate: int, state: str
) -> None:
    terms = {"limit_fen": LIMIT, "annual_rate_ppm": rate}
    assert decide(client, case, terms=terms).json()["state"] == state
    if state != "decided":
        assert agree(client, case).json()["state"] == "decided"
