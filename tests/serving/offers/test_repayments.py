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


def interest(client: Client, name: str) -> int:
    """Fen of interest that the next due dates of a line ask for: a payment pays it before principal."""
    loans = [
        client.ask("GET", f"/v1/loans/{each['drawdown_id']}").json()
        for each in shown(client, name)["drawdowns"]
    ]
    open_ = [line for loan in loans for line in loan["lines"][:1] if line["owed"]["principal_fen"]]
    return sum(line["owed"]["interest_fen"] for line in open_)


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
    drawn = draw(client, name, 1_500_000).json()
    due = interest(client, name)
    assert due > 0
    done = repay(client, name, 600_000 + due, "r1")
    assert (done.status_code, done.json()["owed_fen"]) == (201, 900_000)
    assert repay(client, name, 600_000 + due, "r1").json() == done.json()
    problem(repay(client, name, 500_000, "r1"), 409, "key_reused")
    told = shown(client, name)
    assert (told["drawn_fen"], told["left_fen"]) == (900_000, 1_100_000)
    assert held(bank, name) == (900_000, 1_400_000)
    assert promised(bank) == 1_400_000
    book = client.ask("GET", f"/v1/loans/{drawn['drawdown_id']}").json()
    assert (book["balance_fen"], len(book["events"])) == (900_000, 2), "the same in the loan book, once"


def test_what_was_freed_is_promised_to_the_household_anew(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, LIMIT)
    assert client.decide(GOOD, client.consent_id(GOOD)).json()["limit_fen"] == 1_000_000, "what is left"
    repay(client, name, 1_000_000 + interest(client, name))
    assert offered(client, amount_yuan="10000")
    assert promised(bank) == CAP


def test_what_is_drawn_anew_takes_its_part_again_and_finds_the_cap_taken(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, LIMIT)
    repay(client, name, LIMIT + interest(client, name))
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
        repay(client, lines[-1], 1_500_000 + interest(client, lines[-1]))
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
    most = 500_000 + interest(client, name)
    assert f"1 to {most} fen" in problem(repay(client, name, most + 1), 422, "wrong_repayment")["remedy"]


def test_many_repayments_at_once_never_exceed_what_is_owed(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 1_000_000)
    due = interest(client, name)
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda k: repay(client, name, 300_000, f"p{k}"), range(6)))
    assert sorted(each.status_code for each in got) == [201] * 3 + [422] * 3
    owed = 100_000 + due
    assert held(bank, name) == (owed, owed + 1_000_000)
    assert promised(bank) == owed + 1_000_000


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
    assert repay(client, name, 700_000 + interest(client, name)).status_code == 201
    assert promised(bank) == left - 700_000


def test_a_repayment_is_never_changed(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 700_000)
    repay(client, name, 100_000)
    with pytest.raises(psycopg.Error), owner_transaction(bank.database) as owner:
        owner.execute("UPDATE repayment SET amount_fen = 1")


def test_a_drawdown_is_a_loan_of_the_book_with_the_payments_that_were_told(client: Client) -> None:
    name = line(client)
    drawn = draw(client, name, 700_000).json()
    book = client.ask("GET", f"/v1/loans/{drawn['drawdown_id']}").json()
    told = [(p["principal_fen"], p["interest_fen"], p["fee_fen"]) for p in drawn["payments"]]
    assert [tuple(one["due"][part] for part in ("principal_fen", "interest_fen", "fee_fen")) for one in book["lines"]] == told  # fmt: skip
    assert (book["state"], book["balance_fen"]) == ("active", 700_000)
    again = client.ask("POST", f"/v1/loans/{drawn['drawdown_id']}/drawdowns", headers={"Idempotency-Key": "anew"}, json={
        "at": book["as_of"], "amount_fen": 300_000, "terms": {"repayment": "equal", "annual_rate_ppm": 1, "months": 3},
    })  # fmt: skip
    problem(again, 422, "over_limit")


def test_a_payment_told_to_the_book_frees_the_line_and_the_cap_once(client: Client, bank: Bank) -> None:
    name = line(client)
    drawn = draw(client, name, 700_000).json()
    path, before = f"/v1/loans/{drawn['drawdown_id']}", promised(bank)
    at = client.ask("GET", path).json()["as_of"]
    body = {"at": at, "amount_fen": 200_000 + interest(client, name), "reference": "B1"}
    for key in ("one", "two"):
        got = client.ask("POST", f"{path}/payments", json=body, headers={"Idempotency-Key": key})
        assert got.status_code == 201, got.text
    assert held(bank, name)[0] == 500_000
    assert promised(bank) == before - 200_000
    assert client.ask("GET", path).json()["balance_fen"] == 500_000


def test_the_book_and_the_lines_never_tell_two_things(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 600_000)
    draw(client, name, 500_000)
    for amount in (400_000, 333_333, 100_001):
        repay(client, name, amount)
        loans = [
            client.ask("GET", f"/v1/loans/{one['drawdown_id']}").json()
            for one in shown(client, name)["drawdowns"]
        ]
        assert sum(loan["balance_fen"] for loan in loans) == held(bank, name)[0]
        assert loans[0]["balance_fen"] == 0 or loans[1]["balance_fen"] == 500_000, "the oldest first"


def test_what_was_charged_off_frees_nothing_whoever_tells_it(client: Client, bank: Bank) -> None:
    name = line(client)
    drawn = draw(client, name, 700_000).json()
    path = f"/v1/loans/{drawn['drawdown_id']}"
    at, promise = client.ask("GET", path).json()["as_of"], promised(bank)
    for what, amount in (("charge-offs", {}), ("recoveries", {"amount_fen": 300_000})):
        got = client.ask(
            "POST", f"{path}/{what}", json={"at": at, **amount}, headers={"Idempotency-Key": what}
        )
        assert got.status_code == 201, got.text
    told = problem(repay(client, name, 100_000), 422, "wrong_repayment")
    assert told["remedy"] == "Nothing is owed."
    assert (held(bank, name)[0], promised(bank)) == (700_000, promise)


def test_a_clock_that_stepped_back_loses_no_payment(client: Client, bank: Bank) -> None:
    name = line(client)
    drawn = draw(client, name, 700_000).json()
    due = interest(client, name)
    bank.clock.now -= 3_600_000_000
    try:
        assert repay(client, name, 100_000 + due).status_code == 201
    finally:
        bank.clock.now += 2 * 3_600_000_000
    assert held(bank, name)[0] == 600_000
    assert client.ask("GET", f"/v1/loans/{drawn['drawdown_id']}").json()["balance_fen"] == 600_000


def test_what_is_not_in_the_book_is_repaid_first_and_as_principal(client: Client, bank: Bank) -> None:
    name = line(client)
    before, after = (draw(client, name, amount).json()["drawdown_id"] for amount in (600_000, 500_000))
    with owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM loan_account WHERE loan_id = %s", (before,))
    assert repay(client, name, 600_000).json()["owed_fen"] == 500_000
    assert client.ask("GET", f"/v1/loans/{after}").json()["balance_fen"] == 500_000
    assert repay(client, name, 100_000).json()["owed_fen"] > 400_000, (
        "interest of the next due date comes first"
    )
