"""The stop switch and full breakers hold drawdowns: nothing is paid, the line stays, and it goes on after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from features.calendar import DAY
from serving.registry.model import Kind
from serving.store.session import owner_transaction
from tests.serving.offers.desk import draw, line, shown
from tests.serving.policy.documents import plain
from tests.serving.world import Bank, Client, policy_with, problem

BREAKER = {"id": "day", "products": ["consumer"], "models": [], "daily_count": 2}


@pytest.fixture(scope="module", autouse=True)
def breaker(bank: Bank) -> None:
    """Two consumer loans a day; nothing bounds a household."""
    tables = plain()["tables"] | {"exposure_caps": []}
    bank.approved("policy", Kind.POLICY, policy_with(tables=tables, random_approval=None, breakers=[BREAKER]))


@pytest.fixture(autouse=True)
def nothing_stopped(bank: Bank) -> Iterator[None]:
    """Each test begins on a day of its own with nothing stopped."""
    bank.clock.now += DAY
    yield
    with owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM approval_stop")


def switch(client: Client, way: str, **what: object) -> None:
    """Stop or resume as the risk officer."""
    body = {"reason": "fraud wave in the north", **what}
    done = client.as_("risk_officer").ask("POST", f"/v1/approvals/{way}", json=body)
    assert done.status_code == 200, done.text


@pytest.mark.parametrize("what", [{"all": True}, {"product": "consumer"}, {"model": "risk"}])
def test_while_approvals_are_stopped_nothing_is_drawn_and_after_it_the_same_key_draws(
    client: Client, what: dict[str, object]
) -> None:
    name = line(client)
    switch(client, "stop", **what)
    told = problem(draw(client, name, 300_000, "held"), 409, "drawdowns_stopped")
    assert told["remedy"]
    assert "fraud wave" not in str(told)
    assert (shown(client, name)["drawn_fen"], shown(client, name)["frozen_at"]) == (0, None)
    switch(client, "resume", **what)
    assert draw(client, name, 300_000, "held").status_code == 201


def test_a_stop_of_another_product_holds_nothing(client: Client) -> None:
    name = line(client)
    switch(client, "stop", product="business")
    assert draw(client, name, 300_000).status_code == 201


def test_what_was_drawn_before_a_stop_is_told_again_under_its_key(client: Client) -> None:
    name = line(client)
    first = draw(client, name, 300_000, "once").json()
    switch(client, "stop", all=True)
    assert draw(client, name, 300_000, "once").json() == first


def test_a_full_breaker_holds_drawdowns_until_the_next_day(client: Client, bank: Bank) -> None:
    name, _ = line(client), line(client)
    told = problem(draw(client, name, 300_000, "full"), 409, "breaker_full")
    assert "consumer" in told["detail"]
    assert shown(client, name)["drawn_fen"] == 0
    bank.clock.now += DAY
    assert draw(client, name, 300_000, "full").status_code == 201
