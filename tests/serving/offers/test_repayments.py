"""Principal that comes back frees its line and its part of the household's cap; what is drawn anew takes it again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from features.calendar import DAY
from serving.registry.model import Kind
from serving.store.session import owner_transaction
from serving.work.kinds import KINDS
from serving.work.worker import Worker
from tests.serving.offers.desk import ask, draw, line, offered, promised, shown
from tests.serving.policy.documents import plain
from tests.serving.world import GOOD, Bank, Client, policy_with, problem

pytestmark = pytest.mark.usefixtures("nothing_promised")
LIMIT, CAP = 2_000_000, 3_000_000


@pytest.fixture(scope="module", autouse=True)
def small_cap(bank: Bank) -> None:
    """A household may be promised 30,000 yuan, and chance decides nothing."""
    caps = [{"id": "small", "effective_from": "2020-07-17", "source": "REG-IL-02", "value": CAP}]
    tables = plain()["tables"] | {"exposure_caps": caps}
    bank.approved("policy", Kind.POLICY, policy_with(tables=tables, random_approval=None))


def repay(client: Client, name: str, amount: int, key: str = "") -> httpx.Response:
    """Record so many fen of principal."""
    headers = {"Idempotency-Key": key or f"repay {time.time_ns()}"}
    return client.ask("POST", f"/v1/offers/{name}/repayments", json={"amount_fen": amount}, headers=headers)


def held(bank: Bank, name: str) -> tuple[int, int]:
    """What a line owes and holds of the cap."""
    with owner_transaction(bank.database) as owner:
        found = owner.execute(
            "SELECT drawn_fen, held_fen FROM offer WHERE decision_id = %s", (name,)
        ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def holding(bank: Bank) -> int:
    """Fen, of all offers and lines."""
    with owner_transaction(bank.database) as owner:
        found = owner.execute("SELECT sum(held_fen) FROM offer").fetchone()
    assert found is not None
    return int(found[0])


def worked(bank: Bank, at: int) -> dict[str, Any]:
    """What the job that freezes lines tells."""
    kinds = [kind for kind in KINDS if kind.name == "freeze_lines"]
    (job,) = Worker(bank.settings, bank.database, kinds, lambda: at).drain()
    return dict(job.result or {})


def test_a_repayment_frees_line_and_cap_and_its_key_records_once(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 1_500_000)
    done = repay(client, name, 600_000, "r1")
    assert (done.status_code, done.json()["owed_fen"]) == (201, 900_000)
    assert repay(client, name, 600_000, "r1").json() == done.json()
    problem(repay(client, name, 500_000, "r1"), 409, "key_reused")
    told = shown(client, name)
    assert (told["drawn_fen"], told["left_fen"]) == (900_000, 1_100_000)
    assert held(bank, name) == (900_000, 1_400_000)
    assert promised(bank) == 1_400_000


def test_what_was_freed_is_promised_to_the_household_anew(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, LIMIT)
    assert client.decide(GOOD, client.consent_id(GOOD)).json()["limit_fen"] == 1_000_000, "what is left"
    repay(client, name, 1_000_000)
    assert offered(client, amount_yuan="10000")
    assert promised(bank) == CAP


def test_what_is_drawn_anew_takes_its_part_again_and_finds_the_cap_taken(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, LIMIT)
    repay(client, name, LIMIT)
    assert promised(bank) == 0
    assert draw(client, name, 800_000).status_code == 201
    assert held(bank, name) == (800_000, 800_000)
    assert promised(bank) == 800_000
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE budget SET used = %s WHERE name = 'household'", (CAP - 100_000,))
    got = draw(client, name, 300_000)
    assert got.status_code == 409, got.text
    assert got.json()["place"]
    assert held(bank, name) == (800_000, 800_000)


def test_two_at_once_never_both_draw_the_last_of_a_cap(client: Client, bank: Bank) -> None:
    lines = []
    for _ in range(2):
        lines.append(line(client, amount_yuan="15000"))
        draw(client, lines[-1], 1_500_000)
        repay(client, lines[-1], 1_500_000)
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE budget SET used = %s WHERE name = 'household'", (CAP - 1_500_000,))
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda name: draw(client, name, 1_500_000), lines))
    assert sorted(each.status_code for each in got) == [201, 409]
    assert promised(bank) == CAP


def test_no_more_comes_back_than_is_owed_and_only_of_a_line(client: Client) -> None:
    name = offered(client)
    problem(repay(client, name, 1), 409, "not_accepted")
    ask(client, name, "accept")
    told = problem(repay(client, name, 1), 422, "wrong_repayment")
    assert (told["place"], told["remedy"]) == ("amount_fen", "Nothing is owed.")
    draw(client, name, 500_000)
    assert "1 to 500000" in problem(repay(client, name, 500_001), 422, "wrong_repayment")["remedy"]


def test_many_repayments_at_once_never_exceed_what_is_owed(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 1_000_000)
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda k: repay(client, name, 300_000, f"p{k}"), range(6)))
    assert sorted(each.status_code for each in got) == [201] * 3 + [422] * 3
    assert held(bank, name) == (100_000, 1_100_000)
    assert promised(bank) == 1_100_000


def test_a_line_whose_year_is_over_holds_what_is_owed_until_that_is_repaid(
    client: Client, bank: Bank
) -> None:
    name = line(client)
    draw(client, name, 700_000)
    with owner_transaction(bank.database) as owner:  # other tests' lines hold what was forgotten between them
        owner.execute("UPDATE budget SET used = (SELECT sum(held_fen) FROM offer) WHERE name = 'household'")
    over = bank.clock.now + 400 * DAY
    assert worked(bank, over)["frozen"] >= 1
    assert held(bank, name) == (700_000, 700_000)
    left = promised(bank)
    assert left == holding(bank)
    assert worked(bank, over + DAY)["frozen"] == 0
    assert promised(bank) == left
    assert repay(client, name, 700_000).status_code == 201
    assert promised(bank) == left - 700_000


def test_a_repayment_is_never_changed(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 700_000)
    repay(client, name, 100_000)
    with pytest.raises(psycopg.Error), owner_transaction(bank.database) as owner:
        owner.execute("UPDATE repayment SET amount_fen = 1")
