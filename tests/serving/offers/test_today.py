"""A drawdown pays what today's decision allows: a person's grant forgives what that person saw, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from features.canonical import canonical_bytes
from serving.registry.model import Kind
from tests.serving.cases.desk import case_of, decide, decided, requested, second_officer
from tests.serving.offers.desk import ask, draw, line, shown
from tests.serving.policy.documents import plain
from tests.serving.world import CHECKS, GOOD, MIDDLE, Bank, Client, problem, scorecard

pytestmark = pytest.mark.usefixtures("nothing_promised", "as_it_was")
TERMS = {"limit_fen": 1_000_000, "annual_rate_ppm": 100_000}
AMOUNT = 300_000
LARGE = 2_000_000


def put(bank: Bank, **changes: Any) -> None:
    """A policy without chance, its tables replaced where they are named."""
    document = plain() | {"random_approval": None}
    document["tables"] |= changes.pop("tables", {})
    document |= changes
    bank.approved(
        "policy", Kind.POLICY, canonical_bytes({k: v for k, v in document.items() if v is not None})
    )


@pytest.fixture
def as_it_was(bank: Bank) -> None:
    """Each test begins under the same policy."""
    second_officer(bank)
    put(bank)


def gates_with(amount_fen: int, effect: str) -> list[dict[str, Any]]:
    """The gates with one soft rule more, of so much or more."""
    gates = plain()["gates"]
    when = {"all": [{"fact": "amount_fen", "op": "ge", "value": amount_fen}]}
    missing = dict.fromkeys(("no_record", "source_down", "not_authorised"), "refer")
    gates[-1]["rules"].append(
        {"id": "SOFT", "source": "house", "code": "SOFT_AMOUNT", "effect": effect, "force": "soft", "when": when,
         "missing": missing, "zh": "测试金额", "en": "A large amount"}
    )  # fmt: skip
    return list(gates)


def granted(client: Client, number: str = GOOD, outcome: str = "refer", **changes: Any) -> str:
    """A line that a person granted of 20,000 yuan that were asked for."""
    name = decided(client, number, outcome, **changes)
    if outcome != "refer":
        requested(client, name)
    done = decide(client, str(case_of(client, name)["case_id"]), terms=TERMS)
    assert done.status_code == 200, done.text
    name = str(done.json()["linked_id"])
    assert ask(client, name, "accept").status_code == 200
    return name


@pytest.mark.parametrize("then", [{}, {"identity": "passed"}, {"identity": "passed", "aml": "possible"}])
@pytest.mark.parametrize(
    "today", [{}, {"identity": "inconclusive", "aml": "clear"}, {"identity": "passed", "aml": "possible"}]
)
def test_no_person_forgives_a_check_that_was_not_passed_today(
    client: Client, then: dict[str, str], today: dict[str, str]
) -> None:
    name = granted(client, checks=then)
    told = problem(draw(client, name, AMOUNT, checks=today), 409, "draw_refused")
    assert "nothing was paid" in told["detail"]
    assert (shown(client, name)["drawn_fen"], shown(client, name)["frozen_at"]) == (0, None)
    assert draw(client, name, AMOUNT, checks=CHECKS).status_code == 201


def test_what_a_person_saw_is_forgiven_as_it_was_and_held_where_it_found_something_else(
    client: Client, bank: Bank
) -> None:
    put(bank, gates=gates_with(AMOUNT, "refer"))
    name = granted(client)
    assert draw(client, name, AMOUNT).status_code == 201, "less of the same amount is nothing new"
    gates = gates_with(AMOUNT, "refer")
    gates[-1]["rules"][-1]["when"]["all"].append({"fact": "age_years", "op": "ge", "value": 1})
    put(bank, gates=gates)
    problem(draw(client, name, AMOUNT), 409, "draw_refused")


def test_a_score_that_refuses_now_was_not_seen_by_who_forgave_a_rule(client: Client, bank: Bank) -> None:
    put(bank, gates=gates_with(LARGE, "decline"))
    name = granted(client, outcome="decline")
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk", 4.0))
    told = problem(draw(client, name, AMOUNT), 409, "draw_refused")
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))
    assert "frozen" in told["detail"]
    assert shown(client, name)["drawn_fen"] == 0


def test_a_score_that_refuses_behind_a_forgiven_rule_is_seen(client: Client, bank: Bank) -> None:
    put(bank, gates=gates_with(AMOUNT, "decline"))
    name = granted(client, outcome="decline")
    assert draw(client, name, AMOUNT).status_code == 201
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk", 4.0))
    told = problem(draw(client, name, AMOUNT), 409, "draw_refused")
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))
    assert "frozen" in told["detail"]


def test_no_more_is_paid_than_today_approves_of_the_line_less_what_is_drawn(
    client: Client, bank: Bank
) -> None:
    name = line(client)
    assert draw(client, name, 500_000).status_code == 201
    rows = [
        row | {"max_limit_fen": min(row["max_limit_fen"], 1_200_000)} for row in plain()["tables"]["limits"]
    ]
    put(bank, tables={"limits": rows})
    told = problem(draw(client, name, 1_500_000), 409, "past_today")
    assert (told["place"], "bound by grade" in told["detail"]) == ("amount_fen", True)
    assert told["remedy"] == "Draw from 200000 to 700000 fen."
    assert shown(client, name)["drawn_fen"] == 500_000
    assert draw(client, name, 600_000).status_code == 201
    told = problem(draw(client, name, 200_000), 409, "past_today")
    assert told["remedy"] == "Repay of the line first."
    assert shown(client, name)["frozen_at"] is None


def test_what_a_person_granted_is_bound_by_the_caps_of_today(client: Client, bank: Bank) -> None:
    name = granted(client, MIDDLE)
    caps = [{"id": "small", "effective_from": "2020-07-17", "source": "REG-IL-02", "value": 500_000}]
    put(bank, tables={"exposure_caps": caps})
    told = problem(draw(client, name, LARGE // 2, number=MIDDLE), 409, "past_today")
    assert "bound by exposure" in told["detail"]
    assert draw(client, name, 500_000, number=MIDDLE).status_code == 201
