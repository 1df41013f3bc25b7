"""The daily breaker: a crowd gets through it exactly as far as it reaches, and the rest goes to a person."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.offers.loss import expected_loss
from serving.policy.findings import Finding
from serving.registry.model import Kind
from serving.services import Services, close_services, open_services
from serving.store.session import tenant_transaction
from tests.serving.policy.documents import findings, plain
from tests.serving.world import DISHONEST, GOOD, MIDDLE, Bank, Client, application, policy_with

DAY = 86_400 * 1_000_000


def use(bank: Bank, *breakers: dict[str, Any], **more: Any) -> None:
    """Put breakers in force, nothing that bounds a household, and a new day."""
    tables = plain()["tables"] | {"exposure_caps": []}
    document = policy_with(breakers=list(breakers), tables=tables, **{"random_approval": None, **more})
    bank.approved("policy", Kind.POLICY, document)
    bank.clock.now += DAY


def used(bank: Bank, name: str) -> int:
    """What the latest day took of a breaker's budget."""
    with tenant_transaction(bank.database, "city") as connection:
        asked = "SELECT used FROM budget WHERE name LIKE %s ORDER BY period DESC LIMIT 1"
        found = connection.execute(asked, (f"breaker.%.{name}",)).fetchone()
    return 0 if found is None else int(found[0])


def crowd(bank: Bank, consents: dict[str, str], count: int, **changes: Any) -> list[dict[str, Any]]:
    """So many applications at once over two instances of the API, everybody in turn."""
    names = sorted(consents)

    async def run() -> list[bytes]:
        held = [await open_services(bank.settings, bank.database, bank.clock) for _ in range(2)]
        asker = bank.authority("integration_engineer", Permission.DECIDE)

        async def one(services: Services, k: int) -> bytes:
            number = names[k % len(names)]
            body = application(number, consents[number], **changes)
            return (await services.decisions.decide(asker, str(uuid4()), msgspec.json.encode(body))).body

        try:
            return await asyncio.gather(*(one(held[k % 2], k) for k in range(count)))
        finally:
            for each in held:
                await close_services(each)

    return [msgspec.json.decode(answer) for answer in asyncio.run(run())]


def codes(answers: list[dict[str, Any]], wanted: str) -> Counter[str]:
    """First reasons of the answers with an outcome."""
    return Counter(a["reasons"][0]["code"] for a in answers if a["outcome"] == wanted)


def test_exactly_as_many_as_the_breaker_lets_through_are_approved(client: Client, bank: Bank) -> None:
    use(bank, {"id": "all", "daily_count": 7})
    consents = {GOOD: client.consent_id(GOOD), DISHONEST: client.consent_id(DISHONEST)}
    answers = crowd(bank, consents, 40)
    assert Counter(a["outcome"] for a in answers) == {"approve": 7, "refer": 13, "decline": 20}
    assert codes(answers, "refer") == {"DAILY_LIMIT_REACHED": 13}
    assert used(bank, "all.count") == 7
    auditor = bank.authority("auditor", Permission.REPLAY)
    found = {r.decision_id: r.status for r in replay(bank.settings, bank.database, auditor)}
    assert {found[UUID(a["decision_id"])] for a in answers} == {ReplayStatus.SAME}
    bank.clock.now += DAY
    assert Counter(a["outcome"] for a in crowd(bank, {GOOD: consents[GOOD]}, 3)) == {"approve": 3}


@pytest.mark.parametrize(
    ("breaker", "name"),
    [
        ({"daily_amount_fen": 9_000_000}, "amount"),
        ({"daily_loss_fen": 50_000, "lgd_ppm": 600_000}, "loss"),
    ],
)
def test_amounts_and_expected_losses_of_a_day_are_bounded_to_the_fen(
    client: Client, bank: Bank, breaker: dict, name: str
) -> None:
    use(bank, {"id": "sum", **breaker})
    answers = crowd(bank, {GOOD: client.consent_id(GOOD)}, 12)
    approved = [a for a in answers if a["outcome"] == "approve"]
    each = approved[0]["limit_fen"]
    if name == "loss":
        each = expected_loss(each, approved[0].get("graded_pd", approved[0]["pd"]), 600_000)
    most = breaker.get("daily_amount_fen", breaker.get("daily_loss_fen"))
    assert 0 < len(approved) == most // each < 12
    assert used(bank, f"sum.{name}") == len(approved) * each
    assert codes(answers, "refer") == {"DAILY_LIMIT_REACHED": 12 - len(approved)}


def test_a_batch_goes_through_a_breaker_as_far_as_single_applications_do(client: Client, bank: Bank) -> None:
    use(bank, {"id": "batch", "daily_count": 4})
    consent = client.consent_id(GOOD)
    lines = [json.dumps(application(GOOD, consent) | {"idempotency_key": str(uuid4())}) for _ in range(11)]
    got = client.ask("POST", "/v1/decisions:batch", content="\n".join(lines).encode())
    answers = [json.loads(each)["answer"] for each in got.text.splitlines()]
    assert Counter(a["outcome"] for a in answers) == {"approve": 4, "refer": 7}
    assert codes(answers, "refer") == {"DAILY_LIMIT_REACHED": 7}


def test_a_breaker_bounds_its_own_product_and_model_only(client: Client, bank: Bank) -> None:
    use(
        bank,
        {"id": "business", "products": ["business"], "daily_count": 0},
        {"id": "rating", "models": ["rating"], "daily_count": 0},
        {"id": "risk", "models": ["risk"], "products": ["consumer"], "daily_count": 2},
    )
    answers = crowd(bank, {GOOD: client.consent_id(GOOD)}, 5)
    assert Counter(a["outcome"] for a in answers) == {"approve": 2, "refer": 3}


def test_chance_approves_no_more_than_the_breaker_lets_through(client: Client, bank: Bank) -> None:
    stream = {
        "share_ppm": 1_000_000, "first": 8, "last": 9, "max_limit_fen": 1_000_000, "rate_ppm": 180_000,
        "monthly_budget": 1_000,
    }  # fmt: skip
    use(bank, {"id": "all", "daily_count": 3}, random_approval=stream)
    answers = crowd(bank, {MIDDLE: client.consent_id(MIDDLE)}, 9)
    assert Counter((a["outcome"], a["stream"]) for a in answers) == {
        ("approve", "random"): 3,
        ("refer", "policy"): 6,
    }


def test_a_decision_after_a_day_is_full_is_told_in_its_receipt(client: Client, bank: Bank) -> None:
    use(bank, {"id": "none", "daily_count": 0})
    answer = client.decide(GOOD, client.consent_id(GOOD)).json()
    case = client.as_("auditor").ask("GET", f"/v1/decisions/{answer['decision_id']}/receipt").json()["case"]
    assert case["full"] == [f"breaker.{plain()['policy']}.none.count"]


def found(*breakers: dict[str, Any]) -> list[Finding]:
    """What is wrong with breakers."""
    return findings(lambda document: document.update(breakers=list(breakers)))


@pytest.mark.parametrize(
    ("breaker", "word"),
    [
        ({"id": "a"}, "bounds nothing"),
        ({"id": "a", "daily_count": -1}, "below 0"),
        ({"id": "a.b", "daily_count": 1}, "dot"),
        ({"id": "a", "products": ["moon"], "daily_count": 1}, "no product 'moon'"),
        ({"id": "a", "models": ["moon"], "daily_count": 1}, "no model 'moon'"),
        ({"id": "a", "daily_loss_fen": 1}, "lgd_ppm"),
        ({"id": "a", "daily_loss_fen": 1, "lgd_ppm": 2_000_000}, "not a share"),
    ],
)
def test_a_breaker_that_means_nothing_is_refused_with_its_place(breaker: dict, word: str) -> None:
    wrong = found(breaker)
    assert [each.place for each in wrong] == [f"breakers: {breaker['id']}"]
    assert word in wrong[0].problem


def test_a_breaker_that_stands_twice_is_refused() -> None:
    one = {"id": "a", "daily_count": 1}
    assert [each.code for each in found(one, one)] == ["twice"]
    assert found(one) == found()
