"""One application, one stored answer: however often, however simultaneously, in whatever spelling it comes."""

from __future__ import annotations

import hashlib
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from features.canonical import canonical_bytes
from serving.registry.model import Kind
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.world import (
    CATEGORIES,
    GOOD,
    LATE,
    MIDDLE,
    SCALE,
    STRANGER,
    Bank,
    Client,
    application,
    asking,
    problem,
    scorecard,
)

pytestmark = pytest.mark.usefixtures("nothing_promised")
PEOPLE = (GOOD, LATE, MIDDLE, STRANGER)


def stored(bank: Bank) -> int:
    """How many decisions there are."""
    with tenant_transaction(bank.database, "city") as connection:
        return int(connection.execute("SELECT count(*) FROM decision").fetchone()[0])


def at_once(client: Client, bodies: list[dict[str, Any]], key: str) -> list[Any]:
    """Send all of them under one key at the same time."""
    headers = {"Idempotency-Key": key}
    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(
            threads.map(lambda body: client.ask("POST", "/v1/decisions", json=body, headers=headers), bodies)
        )


def test_the_same_key_gives_the_same_bytes(client: Client, bank: Bank) -> None:
    consent, key = client.consent_id(GOOD), str(uuid4())
    first = client.decide(GOOD, consent, key=key)
    before = stored(bank)
    again = client.decide(GOOD, consent, key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    assert stored(bank) == before


def test_another_body_under_the_key_is_refused_and_the_first_answer_stays(client: Client) -> None:
    consent, key = client.consent_id(GOOD), str(uuid4())
    first = client.decide(GOOD, consent, key=key)
    refused = problem(client.decide(GOOD, consent, key=key, term_months=24), 409, "key_reused")
    assert refused["place"] == "Idempotency-Key"
    assert client.decide(GOOD, consent, key=key).content == first.content


@pytest.mark.parametrize(
    "changes", [{"amount_yuan": "20000.00"}, {"amount_yuan": ..., "amount_fen": 2_000_000}]
)
def test_the_same_application_in_another_spelling_is_the_same(client: Client, changes: dict) -> None:
    consent, key = client.consent_id(GOOD), str(uuid4())
    first = client.decide(GOOD, consent, key=key)
    again = client.decide(GOOD, consent, key=key, **changes)
    assert (again.status_code, again.content) == (200, first.content)


def test_many_at_once_under_one_key_are_one_decision(client: Client, bank: Bank) -> None:
    body = application(GOOD, client.consent_id(GOOD))
    before = stored(bank)
    answers = at_once(client, [body] * 24, str(uuid4()))
    assert sorted(answer.status_code for answer in answers) == [200] * 23 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert stored(bank) == before + 1


def test_of_different_bodies_at_once_under_one_key_one_is_decided(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    bodies = [application(GOOD, consent, term_months=months) for months in range(6, 18)]
    before = stored(bank)
    answers = at_once(client, bodies, str(uuid4()))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert stored(bank) == before + 1


@pytest.mark.parametrize("key", [None, "", "x" * 129, "a\tb"])
def test_a_key_that_is_none_is_refused_before_anything_else(
    client: Client, bank: Bank, key: str | None
) -> None:
    before = stored(bank)
    headers = {} if key is None else {"Idempotency-Key": key}
    got = client.ask("POST", "/v1/decisions", json=application(GOOD, str(uuid4())), headers=headers)
    assert problem(got, 422, "idempotency_key")["place"] == "Idempotency-Key"
    assert stored(bank) == before


def test_nothing_is_answered_before_it_is_committed(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    with ThreadPoolExecutor(1) as threads:
        with owner_transaction(bank.database) as owner:
            owner.execute("LOCK TABLE decision IN EXCLUSIVE MODE")
            waiting = threads.submit(client.decide, GOOD, consent)
            time.sleep(0.3)
            assert not waiting.done()
        answer = waiting.result(10).json()
    assert client.ask("GET", f"/v1/decisions/{answer['decision_id']}").json() == answer


@pytest.mark.parametrize("number", PEOPLE)
def test_all_parts_add_up_to_the_score_exactly(client: Client, number: str) -> None:
    answer = client.decide(number, client.consent_id(number)).json()
    score = answer["score"]
    told = sum(reason["log_odds"] or 0 for reason in answer["reasons"])
    assert score["base"] + told + score["other"] == score["log_odds"]
    why = client.ask("GET", f"/v1/decisions/{answer['decision_id']}/explanation").json()
    assert why["base"] + sum(share["log_odds"] for share in why["features"]) == why["log_odds"]
    assert (why["base"], why["log_odds"], why["other"]) == (score["base"], score["log_odds"], score["other"])
    sizes = [abs(share["log_odds"]) for share in why["features"]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(share["zh"] and share["en"] for share in why["features"])


@pytest.mark.parametrize("number", PEOPLE)
def test_one_pd_sets_grade_limit_and_rate(client: Client, bank: Bank, number: str) -> None:
    answer = client.decide(number, client.consent_id(number)).json()
    assert answer["score"]["model"] == "risk"
    pd = 1 / (1 + math.exp(-answer["score"]["log_odds"] / 1e9))
    assert answer["pd"] == pytest.approx(pd, abs=1e-9)
    assert answer["grade"] == 1 + sum(answer["pd"] >= bound for bound in SCALE.upper[:-1])
    offer = answer["offer"]
    assert answer["limit_fen"] == (offer["limit_fen"] if offer else 0)
    assert answer["annual_rate_ppm"] == (offer["annual_rate_ppm"] if offer else None)


def test_the_challenger_is_told_in_the_explanation_and_decides_nothing(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    bank.approved("bundle.rating", Kind.BUNDLE, scorecard("rating", 4.0))
    after = client.decide(GOOD, consent).json()
    why = client.ask("GET", f"/v1/decisions/{after['decision_id']}/explanation").json()
    assert why["challengers"]["rating"]["pd"] > 0.2 > after["pd"]
    aside = ("decision_id", "decided_at", "digests")
    assert {k: v for k, v in after.items() if k not in aside} == {
        k: v for k, v in before.items() if k not in aside
    }
    assert after["digests"]["bundle.rating"] != before["digests"]["bundle.rating"]


def test_an_activation_decides_from_the_next_decision_on(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk", 0.01))
    after = client.decide(GOOD, consent).json()
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))
    again = client.decide(GOOD, consent).json()
    assert before["pd"] == again["pd"] < after["pd"]
    assert before["digests"]["bundle.risk"] == again["digests"]["bundle.risk"]


def test_the_receipt_is_canonical_and_its_hash_is_over_what_is_stored(client: Client, bank: Bank) -> None:
    answer = client.decide(GOOD, client.consent_id(GOOD))
    name = answer.json()["decision_id"]
    got = client.as_("auditor").ask("GET", f"/v1/decisions/{name}/receipt")
    receipt = json.loads(got.content)
    assert canonical_bytes(receipt) == got.content
    assert receipt["answer"] == answer.json()
    assert receipt["answer_digest"] == hashlib.sha256(answer.content).hexdigest()
    assert receipt["digests"] == answer.json()["digests"]
    with tenant_transaction(bank.database, "city") as connection:
        data = connection.execute("SELECT receipt FROM decision WHERE decision_id = %s", (name,)).fetchone()[
            0
        ]
    assert got.headers["x-receipt-hash"] == hashlib.sha256(data).hexdigest()
    assert b"BUREAU" not in data


def test_every_rule_is_in_the_receipt_with_what_it_asked_and_found(client: Client) -> None:
    answer = client.decide(LATE, client.consent_id(LATE)).json()
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{answer['decision_id']}/receipt").json()
    rules = {rule["id"]: rule for rule in receipt["rules"]}
    assert rules["RQ-03"]["actual"] == [receipt["facts"]["age_years"]]
    assert rules["RQ-03"]["expected"][0]["value"] == 18
    assert rules["KO-05"]["truth"] is False or rules["KO-05"]["actual"] == ["NO_RECORD"]


@pytest.mark.parametrize(
    ("amount", "bound_by", "limit_yuan", "codes"),
    [
        ("20000", "requested", 20_000, []),
        ("55000", "requested", 55_000, []),
        ("54999.99", "requested", 54_900, []),
        ("55100", "income", 55_000, ["LIMIT_BY_INCOME"]),
        ("999999", "income", 55_000, ["LIMIT_BY_INCOME"]),
    ],
)
def test_a_smaller_offer_says_what_bounds_it(
    client: Client, amount: str, bound_by: str, limit_yuan: int, codes: list[str]
) -> None:
    answer = client.decide(GOOD, client.consent_id(GOOD), amount_yuan=amount).json()
    assert (answer["outcome"], answer["grade"]) == ("approve", 3)
    assert (answer["offer"]["bound_by"], answer["limit_fen"]) == (bound_by, limit_yuan * 100)
    assert [reason["code"] for reason in answer["reasons"] if reason["kind"] == "limit"] == codes


def test_a_source_that_is_down_is_neutral_and_told(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    with asking(bank, replace(bank.settings, sources_down=("bank_transaction",))) as other:
        answer = other.decide(GOOD, consent, amount_yuan="50000").json()
        why = other.ask("GET", f"/v1/decisions/{answer['decision_id']}/explanation").json()
        known = other.ask("POST", "/v1/prefill", json={"id_number": GOOD, "consent_id": consent}).json()
    assert answer["missing_sources"] == {"bank_transaction": "SOURCE_DOWN"}
    share = next(s for s in why["features"] if s["feature"] == "bank_inflow_sum_12m")
    assert (share["value"], share["log_odds"]) == ("SOURCE_DOWN", 0)
    assert (answer["outcome"], answer["reasons"][0]["code"]) == ("refer", "TOO_FEW_SOURCES")
    assert "bank_transaction" not in [dataset["dataset"] for dataset in known["datasets"]]


def test_a_source_that_may_not_be_read_is_neutral_and_told(client: Client) -> None:
    whole = client.decide(LATE, client.consent_id(LATE)).json()
    without = [name for name in CATEGORIES if name != "bureau"]
    answer = client.decide(LATE, client.consent_id(LATE, categories=without)).json()
    assert answer["missing_sources"]["bureau_repayment"] == "NOT_AUTHORISED"
    assert whole["missing_sources"] == {}
    assert answer["outcome"] == "refer"
    assert "NO_BUREAU_CONSENT" in [reason["code"] for reason in answer["reasons"]]
    why = client.ask("GET", f"/v1/decisions/{answer['decision_id']}/explanation").json()
    share = next(s for s in why["features"] if s["feature"] == "bur_overdue_cnt_12m")
    assert (share["value"], share["log_odds"]) == ("NOT_AUTHORISED", 0)
