"""The random stream: drawn by HMAC, taken from a budget that a crowd cannot overdraw, and replayed."""

from __future__ import annotations

import hmac
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest

from serving.access.model import Permission
from serving.decisions.budgets import RANDOM_AMOUNT, RANDOM_COUNT, RANDOM_LOSS
from serving.decisions.replay import ReplayStatus, replay
from serving.decisions.verdict import draws
from serving.offers.loss import expected_loss
from serving.registry.model import Kind
from serving.store.keys import KeyRing
from serving.store.session import tenant_transaction
from tests.serving.policy.documents import plain
from tests.serving.world import DISHONEST, GOOD, MIDDLE, Bank, Client, policy_with

BUDGET = 5


def streams(client: Client, count: int) -> list[dict]:
    """So many applications of the middling applicant at once."""
    consent = client.consent_id(MIDDLE)
    with ThreadPoolExecutor(count) as threads:
        return [
            got.json() for got in threads.map(lambda k: client.decide(MIDDLE, consent, key=f"{consent}{k}"), range(count))
        ]  # fmt: skip


def use(bank: Bank, **changes: object) -> None:
    """Put a stream in force, and nothing that bounds a household."""
    stream = {"share_ppm": 1_000_000, "first": 8, "last": 9, "max_limit_fen": 1_000_000, "rate_ppm": 180_000}
    tables = plain()["tables"] | {"exposure_caps": []}
    bank.approved("policy", Kind.POLICY, policy_with(random_approval={**stream, **changes}, tables=tables))


def used(bank: Bank, name: str = RANDOM_COUNT) -> dict[str, int]:
    """What of the budgets is spent, by month."""
    with tenant_transaction(bank.database, "city") as connection:
        asked = "SELECT period, used FROM budget WHERE name = %s AND used > 0 ORDER BY period"
        return dict(connection.execute(asked, (name,)).fetchall())


def test_a_crowd_does_not_overdraw_the_budget_and_the_next_month_begins_anew(
    client: Client, bank: Bank
) -> None:
    use(bank, monthly_budget=BUDGET)
    answers = streams(client, 20)
    taken = [answer for answer in answers if answer["stream"] == "random"]
    assert Counter(answer["outcome"] for answer in answers) == {"approve": BUDGET, "refer": 15}
    assert len(taken) == BUDGET
    assert used(bank) == {"2025-01": BUDGET}
    assert all(answer["limit_fen"] == 1_000_000 and answer["annual_rate_ppm"] == 180_000 for answer in taken)
    bank.clock.now += 31 * 86_400 * 1_000_000
    assert [answer["stream"] for answer in streams(client, 1)] == ["random"]
    assert used(bank) == {"2025-01": BUDGET, "2025-02": 1}


def test_a_crowd_under_one_key_takes_at_most_one_of_the_budget(client: Client, bank: Bank) -> None:
    use(bank, monthly_budget=10_000)
    before, consent = sum(used(bank).values()), client.consent_id(MIDDLE)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: client.decide(MIDDLE, consent, key="one"), range(16)))
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["stream"] == "random"
    assert sum(used(bank).values()) == before + 1


def test_who_is_drawn_is_a_function_of_the_key_and_the_decision(client: Client, bank: Bank) -> None:
    use(bank, monthly_budget=10_000, share_ppm=500_000)
    key = KeyRing.open(bank.settings.key_file).derived("random approvals")
    answers = streams(client, 24)
    for answer in answers:
        number = int.from_bytes(hmac.digest(key, answer["decision_id"].encode(), "sha256")[:8], "big")
        assert (answer["stream"] == "random") == (number / 2**64 < 0.5)
    assert {answer["stream"] for answer in answers} == {"random", "policy"}


def test_those_who_pass_or_break_a_rule_are_never_drawn(client: Client, bank: Bank) -> None:
    use(bank, monthly_budget=10_000, first=1, last=10)
    before = used(bank)
    for number, outcome in ((GOOD, "approve"), (DISHONEST, "decline")):
        answer = client.decide(number, client.consent_id(number)).json()
        assert (answer["outcome"], answer["stream"]) == (outcome, "policy")
    assert used(bank) == before


@pytest.mark.parametrize("changes", [{"monthly_budget": 0}, {"monthly_budget": 9, "share_ppm": 0}])
def test_no_budget_or_no_share_means_no_stream(client: Client, bank: Bank, changes: dict) -> None:
    use(bank, **changes)
    before = used(bank)
    assert [answer["stream"] for answer in streams(client, 3)] == ["policy"] * 3
    assert used(bank) == before


def test_drawn_and_undrawn_replay(client: Client, bank: Bank) -> None:
    use(bank, monthly_budget=10_000, share_ppm=500_000)
    names = {answer["decision_id"] for answer in streams(client, 6)}
    settings = replace(bank.settings, as_of=None)
    found = {
        r.decision_id: r.status
        for r in replay(settings, bank.database, bank.authority("auditor", Permission.REPLAY))
    }
    assert {found[UUID(name)] for name in names} == {ReplayStatus.SAME}
    assert set(found.values()) == {ReplayStatus.SAME}


def test_the_share_is_the_share_over_many_ids() -> None:
    drawn = sum(draws(b"key", f"id{k}", 30_000) for k in range(20_000))
    assert 500 < drawn < 700
    assert not any(draws(b"key", f"id{k}", 0) for k in range(1_000))
    assert all(draws(b"key", f"id{k}", 1_000_000) for k in range(1_000))


@pytest.mark.parametrize(
    ("name", "changes", "most"),
    [
        (RANDOM_AMOUNT, {"monthly_amount_fen": 2_500_000}, 2_500_000),
        (RANDOM_LOSS, {"monthly_loss_fen": 200_000, "lgd_ppm": 500_000}, 200_000),
    ],
)
def test_a_crowd_overdraws_neither_the_month_s_amount_nor_its_expected_loss(
    client: Client, bank: Bank, name: str, changes: dict, most: int
) -> None:
    use(bank, monthly_budget=10_000, **changes)
    bank.clock.now += 31 * 86_400 * 1_000_000
    taken = [answer for answer in streams(client, 12) if answer["stream"] == "random"]
    each = taken[0]["limit_fen"]
    if name == RANDOM_LOSS:
        each = expected_loss(each, taken[0].get("graded_pd", taken[0]["pd"]), 500_000)
    assert len(taken) == most // each
    assert list(used(bank, name).values())[-1] == len(taken) * each


def test_an_expected_loss_is_rounded_up_to_the_fen() -> None:
    assert expected_loss(1_000_000, 0.1, 600_000) == 60_000
    assert expected_loss(1, 0.000000001, 1) == 1
    assert expected_loss(1_000_000, 0.123456789, 1_000_000) == 123_457
