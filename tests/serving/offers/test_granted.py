"""What a person grants is an offer like any other: of the household's cap, with its payments, accepted and drawn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.registry.model import Kind
from tests.serving.cases.desk import (
    OFFICER,
    case_of,
    decide,
    decided,
    requested,
    second_officer,
    take,
    verdict,
    view,
)
from tests.serving.offers.desk import ask, draw, offered, promised, shown
from tests.serving.policy.documents import plain
from tests.serving.records.sending import case as court_case
from tests.serving.records.sending import sent
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, Client, policy_with, problem

pytestmark = pytest.mark.usefixtures("nothing_promised")
LIMIT, CAP = 1_000_000, 2_500_000


@pytest.fixture(scope="module", autouse=True)
def small_cap(bank: Bank) -> None:
    """A household may be promised 25,000 yuan, and chance decides nothing."""
    second_officer(bank)
    caps = [{"id": "small", "effective_from": "2020-07-17", "source": "REG-IL-02", "value": CAP}]
    tables = plain()["tables"] | {"exposure_caps": caps}
    bank.approved("policy", Kind.POLICY, policy_with(tables=tables, random_approval=None))


def granted(client: Client, number: str = MIDDLE, outcome: str = "refer", **terms: int) -> str:
    """The decision of a person who approved, 10,000 yuan unless changed."""
    done = decide(client, asked(client, number, outcome), terms=TERMS | terms)
    assert done.status_code == 200, done.text
    return str(done.json()["linked_id"])


TERMS = {"limit_fen": LIMIT, "annual_rate_ppm": 100_000}


def asked(client: Client, number: str = MIDDLE, outcome: str = "refer") -> str:
    """A case that waits for a person."""
    name = decided(client, number, outcome)
    if outcome != "refer":
        requested(client, name)
    return str(case_of(client, name)["case_id"])


def test_a_persons_approval_is_an_open_offer_that_takes_its_part_of_the_cap(
    client: Client, bank: Bank
) -> None:
    name = granted(client)
    told = shown(client, name)
    assert (told["state"], told["limit_fen"], told["counter_offer"], told["bound_by"]) == (
        "open", LIMIT, True, "person",
    )  # fmt: skip
    assert promised(bank) == LIMIT
    payments = told["disclosure"]["repayment"]["payments"]
    assert sum(each["principal_fen"] for each in payments) == LIMIT
    assert all(told["disclosure"].values())
    assert told["valid_to"] > told["made_at"][:10]
    answer = client.ask("GET", f"/v1/decisions/{name}").json()
    assert answer["offer"]["annual_rate_ppm"] == 100_000
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), UUID(name))
    assert found.status is ReplayStatus.SAME


def test_it_is_accepted_drawn_and_declined_like_any_other(client: Client, bank: Bank) -> None:
    name = granted(client)
    assert ask(client, name, "accept").json()["state"] == "accepted"
    drawn = draw(client, name, 400_000, number=MIDDLE)
    assert drawn.status_code == 201, drawn.text
    assert (drawn.json()["left_fen"], shown(client, name)["drawn_fen"]) == (600_000, 400_000)
    other = granted(client)
    assert promised(bank) == 2 * LIMIT
    assert ask(client, other, "decline").json()["state"] == "declined"
    assert promised(bank) == LIMIT


def test_what_the_person_looked_at_holds_no_drawdown_and_what_is_new_does(client: Client) -> None:
    name = granted(client, LATE, "decline")
    ask(client, name, "accept")
    assert draw(client, name, 300_000, number=LATE).status_code == 201
    sent(client, [court_case(LATE, "G1")])
    told = problem(draw(client, name, 300_000, number=LATE), 409, "draw_refused")
    assert "frozen" in told["detail"]


def test_a_full_cap_is_told_to_the_reviewer_with_what_is_left_and_nothing_is_decided(
    client: Client, bank: Bank
) -> None:
    granted(client, limit_fen=2_000_000)
    case = asked(client, LATE, "decline")
    granted_alone = view(client, case)
    assert granted_alone["cap_left_fen"] == CAP, "somebody else's household"
    case = asked(client)
    assert view(client, case)["cap_left_fen"] == 500_000
    told = problem(decide(client, case, terms=TERMS), 409, "cap_full")
    assert (told["place"], "500000" in told["detail"], "500000" in told["remedy"]) == (
        "terms.limit_fen", True, True,
    )  # fmt: skip
    assert view(client, case)["case"]["state"] == "taken"
    assert promised(bank) == 2_000_000
    done = decide(client, case, terms=TERMS | {"limit_fen": 500_000})
    assert done.json()["state"] == "decided"
    assert promised(bank) == CAP


def test_two_people_at_once_never_both_take_the_last_of_a_cap(client: Client, bank: Bank) -> None:
    cases = [asked(client) for _ in range(6)]
    bodies = []
    for case in cases:
        take(client, case)
        bodies.append(verdict(view(client, case)["seen"], terms=TERMS))
    with ThreadPoolExecutor(len(cases)) as pool:
        got = list(
            pool.map(
                lambda k: client.as_(OFFICER).ask("POST", f"/v1/cases/{cases[k]}/decide", json=bodies[k]),
                range(len(cases)),
            )
        )
    assert sorted(each.status_code for each in got) == [200, 200, 409, 409, 409, 409]
    assert {each.json()["code"] for each in got if each.status_code == 409} == {"cap_full"}
    assert promised(bank) == 2 * LIMIT <= CAP


def test_a_persons_decision_takes_the_place_of_what_the_system_offered(client: Client, bank: Bank) -> None:
    first = offered(client, amount_yuan="10000")
    requested(client, first)
    case = case_of(client, first)["case_id"]
    assert promised(bank) == LIMIT
    done = decide(client, case, terms=TERMS | {"limit_fen": 800_000}).json()
    assert shown(client, first)["state"] == "declined"
    assert shown(client, done["linked_id"])["limit_fen"] == 800_000
    assert promised(bank) == 800_000


def test_other_terms_are_not_granted_under_a_line_that_was_accepted(client: Client, bank: Bank) -> None:
    first = offered(client, GOOD, amount_yuan="10000")
    requested(client, first)
    case = case_of(client, first)["case_id"]
    ask(client, first, "accept")
    told = problem(decide(client, case, terms=TERMS | {"limit_fen": 800_000}), 409, "line_stands")
    assert told["remedy"]
    assert promised(bank) == LIMIT
    assert decide(client, case, outcome="decline").json()["state"] == "decided"
    assert shown(client, first)["state"] == "accepted"
