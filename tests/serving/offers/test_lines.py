"""An offer's life: told whole, accepted or declined, drawn after a look at today, approved anew each year."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID, uuid4

import psycopg
import pytest

from features.calendar import DAY
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.registry.model import Kind
from serving.store.session import owner_transaction
from serving.work.kinds import KINDS, REAPPROVAL_DUE
from serving.work.worker import Worker
from tests.serving.offers.desk import ask, draw, line, offered, promised, shown
from tests.serving.policy.documents import plain
from tests.serving.records.sending import case, sent
from tests.serving.world import CHECKS, DISHONEST, GOOD, LATE, Bank, Client, policy_with, problem

pytestmark = pytest.mark.usefixtures("nothing_promised")
LIMIT = 2_000_000


def links(bank: Bank, parent: str, kind: str = "drawdown") -> list[UUID]:
    """The decisions of a kind that follow one."""
    asked = "SELECT decision_id FROM decision_link WHERE parent_id = %s AND kind = %s ORDER BY decision_id"
    with owner_transaction(bank.database) as owner:
        return [name for (name,) in owner.execute(asked, (parent, kind)).fetchall()]


def work(bank: Bank) -> dict[str, dict]:
    """What the jobs about offers remember, an hour and more after the last time."""
    bank.clock.now += DAY // 12
    now, kinds = bank.clock.now, [kind for kind in KINDS if kind.name in {"expire_offers", "freeze_lines"}]
    return {
        job.kind: job.result or {} for job in Worker(bank.settings, bank.database, kinds, lambda: now).drain()
    }


def test_an_approval_is_an_open_offer_with_seven_disclosures_and_every_payment(client: Client) -> None:
    told = shown(client, offered(client))
    assert (told["state"], told["limit_fen"], told["drawn_fen"], told["line_until"]) == (
        "open",
        LIMIT,
        0,
        None,
    )
    assert (told["valid_to"], told["bound_by"], told["counter_offer"]) == ("2025-02-01", "requested", False)
    disclosure = told["disclosure"]
    assert list(disclosure) == [
        "lender", "annual_rate_ppm", "all_in_annual_ppm", "repayment", "collection", "complaint", "liability",
    ]  # fmt: skip
    assert all(disclosure.values())
    payments = disclosure["repayment"]["payments"]
    assert [each["month"] for each in payments] == list(range(1, 13))
    assert sum(each["principal_fen"] for each in payments) == LIMIT
    assert sum(each["interest_fen"] for each in payments) == disclosure["repayment"]["total_interest_fen"]
    assert payments[-1]["balance_fen"] == 0


def test_what_was_not_approved_by_the_system_has_no_offer(client: Client) -> None:
    declined = client.decide(DISHONEST, client.consent_id(DISHONEST)).json()["decision_id"]
    for name in (declined, str(uuid4())):
        problem(client.ask("GET", f"/v1/offers/{name}"), 404, "unknown_offer")
        problem(ask(client, name, "accept"), 404, "unknown_offer")
        problem(draw(client, name, 300_000), 404, "unknown_offer")


def test_an_accepted_offer_is_a_line_for_a_year(client: Client) -> None:
    name = offered(client)
    problem(draw(client, name, 300_000), 409, "not_accepted")
    first, second = ask(client, name, "accept"), ask(client, name, "accept")
    assert first.json() == second.json()
    assert (first.json()["state"], first.json()["line_until"][:10]) == ("accepted", "2026-01-02")
    problem(ask(client, name, "decline"), 409, "already_accepted")


def test_a_declined_offer_frees_its_household_once(client: Client, bank: Bank) -> None:
    name = offered(client)
    offered(client)
    assert promised(bank) == 2 * LIMIT
    assert ask(client, name, "decline").json()["state"] == "declined"
    assert ask(client, name, "decline").status_code == 200
    assert promised(bank) == LIMIT
    problem(ask(client, name, "accept"), 409, "offer_declined")
    problem(draw(client, name, 300_000), 409, "offer_declined")


def test_each_drawdown_is_decided_again_and_a_key_draws_once(client: Client, bank: Bank) -> None:
    name = line(client)
    first, again = draw(client, name, 500_000, "k"), draw(client, name, 500_000, "k")
    assert first.status_code == 201, first.text
    assert first.content == again.content
    problem(draw(client, name, 600_000, "k"), 409, "key_reused")
    assert sum(each["principal_fen"] for each in first.json()["payments"]) == 500_000
    assert draw(client, name, 1_200_000).json()["left_fen"] == 300_000
    told = shown(client, name)
    assert (told["drawn_fen"], told["left_fen"], len(told["drawdowns"])) == (1_700_000, 300_000, 2)
    assert promised(bank) == LIMIT, "what is drawn was promised before"
    assert links(bank, name) == sorted(UUID(each["linked_id"]) for each in told["drawdowns"])
    auditor = bank.authority("auditor", Permission.REPLAY)
    for linked in links(bank, name):
        (found,) = replay(bank.settings, bank.database, auditor, linked)
        assert found.status is ReplayStatus.SAME
        receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{linked}/receipt").json()
        assert receipt["case"]["household"]["promised_fen"] == 0, "but for the line itself"
        problem(client.ask("GET", f"/v1/offers/{linked}"), 404, "unknown_offer")


@pytest.mark.parametrize("amount", [199_999, LIMIT + 1])
def test_less_than_is_lent_or_more_than_is_left_is_not_drawn(client: Client, bank: Bank, amount: int) -> None:
    name = line(client)
    assert f"from 200000 to {LIMIT} fen" in problem(draw(client, name, amount), 422, "wrong_amount")["remedy"]
    assert links(bank, name) == []


def test_others_draw_nothing(client: Client, bank: Bank) -> None:
    name = line(client)
    problem(draw(client, name, 300_000, number=LATE), 422, "other_applicant")
    problem(draw(client.as_("risk_officer"), name, 300_000), 403, "not_permitted")
    problem(draw(client.as_("stranger"), name, 300_000), 404, "unknown_offer")
    problem(client.as_("stranger").ask("GET", f"/v1/offers/{name}"), 404, "unknown_offer")
    assert client.as_("auditor").ask("GET", f"/v1/offers/{name}").status_code == 200
    body = {"id_number": GOOD, "amount_fen": 300_000}
    problem(client.ask("POST", f"/v1/offers/{name}/drawdowns", json=body), 422, "idempotency_key")
    assert shown(client, name)["drawn_fen"] == 0


def test_a_crowd_draws_no_more_than_the_line_and_one_key_once(client: Client, bank: Bank) -> None:
    name = line(client)
    with ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda k: draw(client, name, 600_000, f"crowd{k // 2}"), range(12)))
    assert {each.status_code for each in got} <= {201, 422}
    drawn = {each.json()["drawdown_id"] for each in got if each.status_code == 201}
    assert len(drawn) == 3
    assert (shown(client, name)["drawn_fen"], len(shown(client, name)["drawdowns"])) == (1_800_000, 3)


def test_a_process_that_dies_between_decision_and_drawdown_leaves_nothing_drawn_and_is_repeated(
    client: Client, bank: Bank
) -> None:
    name, held = line(client), Event()
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'yidai_app' AND wait_event_type = 'Lock'"
    with psycopg.connect(bank.database.admin_url) as owner, ThreadPoolExecutor(1) as pool:
        owner.execute("SELECT 1 FROM offer WHERE decision_id = %s FOR UPDATE", (name,))
        waiting = pool.submit(draw, client, name, 500_000, "dies")
        while not owner.execute(kill).fetchall():
            held.wait(0.05)
        problem(waiting.result(), 503)
        owner.rollback()
    assert (shown(client, name)["drawn_fen"], len(links(bank, name))) == (0, 1)
    assert draw(client, name, 500_000, "dies").status_code == 201
    assert (shown(client, name)["drawn_fen"], len(links(bank, name))) == (500_000, 1)


def test_a_hard_rule_refuses_a_drawdown_and_freezes_the_line_until_it_is_approved_anew(
    client: Client, bank: Bank
) -> None:
    name = line(client)
    assert draw(client, name, 300_000).status_code == 201
    sent(client, [case(GOOD, "F1")])
    refused = problem(draw(client, name, 300_000, "hard"), 409, "draw_refused")
    assert "DISHONEST_DEBTOR" in refused["detail"]
    assert str(links(bank, name)[-1]) in refused["remedy"]
    told = shown(client, name)
    assert (told["drawn_fen"], told["frozen_for"][0]) == (300_000, "DISHONEST_DEBTOR")
    problem(draw(client, name, 300_000, "hard"), 409, "line_frozen")
    assert ask(client, name, "reapprove", id_number=GOOD).json()["frozen_at"] == told["frozen_at"]
    sent(client, [case(GOOD, "F1", kind="civil", published_at="2024-12-01T09:00:00")])
    assert ask(client, name, "reapprove", id_number=GOOD).json()["frozen_at"] == told["frozen_at"], (
        "once a day"
    )
    bank.clock.now += DAY
    anew = ask(client, name, "reapprove", id_number=GOOD).json()
    assert (anew["frozen_at"], anew["frozen_for"]) == (None, [])
    assert draw(client, name, 300_000).status_code == 201


def test_what_the_bank_s_own_checks_find_today_counts(client: Client) -> None:
    name = line(client)
    got = draw(client, name, 300_000, checks=CHECKS | {"aml": "hit"})
    assert "CHECKS_NOT_COMPLETED" in problem(got, 409, "draw_refused")["detail"]


def test_without_a_live_consent_nothing_is_drawn_and_a_newer_one_may_be_named(client: Client) -> None:
    consent = client.consent_id(GOOD)
    name = client.decide(GOOD, consent).json()["decision_id"]
    ask(client, name, "accept")
    client.ask("DELETE", f"/v1/consents/{consent}")
    problem(draw(client, name, 300_000), 403, "consent_withdrawn")
    assert shown(client, name)["frozen_at"] is None
    assert draw(client, name, 300_000, consent_id=client.consent_id(GOOD)).status_code == 201


def test_a_line_ends_after_a_year_unless_it_is_approved_anew(client: Client, bank: Bank) -> None:
    name, kept = line(client), line(client)
    bank.clock.now += 340 * DAY
    soon = work(bank)["freeze_lines"]
    assert soon["frozen"] == 0
    assert soon["due"] >= 2
    until = shown(client, kept)["line_until"]
    anew = ask(client, kept, "reapprove", id_number=GOOD)
    assert anew.status_code == 200, anew.text
    assert anew.json()["line_until"] > until
    assert anew.json() == ask(client, kept, "reapprove", id_number=GOOD).json()
    assert len(links(bank, kept, "reapproval")) == 1
    bank.clock.now += 30 * DAY
    problem(draw(client, name, 300_000), 409, "line_over")
    frozen = work(bank)["freeze_lines"]["frozen"]
    assert frozen >= 1
    assert work(bank)["freeze_lines"]["frozen"] == 0
    assert shown(client, name)["frozen_for"] == [REAPPROVAL_DUE]
    problem(draw(client, name, 300_000), 409, "line_frozen")
    assert draw(client, kept, 300_000).status_code == 201


def test_an_expired_offer_is_neither_accepted_nor_drawn_and_frees_its_household_once(
    client: Client, bank: Bank
) -> None:
    work(bank)
    before = promised(bank)
    name, taken = offered(client), line(client)
    bank.clock.now += 31 * DAY
    for got in (ask(client, name, "accept"), ask(client, name, "decline"), draw(client, name, 300_000)):
        refused = problem(got, 409, "offer_expired")
        assert (refused["place"], "POST /v1/decisions" in refused["remedy"]) == ("decision_id", True)
    assert (shown(client, name)["state"], promised(bank)) == ("expired", before + 2 * LIMIT)
    assert work(bank)["expire_offers"] == {"expired": 1}
    assert work(bank)["expire_offers"] == {"expired": 0}
    assert promised(bank) == before + LIMIT
    assert shown(client, taken)["state"] == "accepted"


def test_a_reapproval_that_lends_less_lowers_the_line_to_what_is_drawn_at_least(
    client: Client, bank: Bank
) -> None:
    name, drawn = line(client, amount_yuan="50000"), line(client, amount_yuan="50000")
    assert draw(client, drawn, 4_000_000).status_code == 201
    tables = plain()["tables"]
    lower = [row | {"value": 3_000_000} for row in tables["limit_caps"]]
    bank.approved("policy", Kind.POLICY, policy_with(tables=tables | {"limit_caps": lower}))
    for each, fen in ((name, 3_000_000), (drawn, 4_000_000)):
        assert ask(client, each, "reapprove", id_number=GOOD).json()["limit_fen"] == fen
    assert promised(bank) == 7_000_000
    problem(draw(client, drawn, 200_000), 422, "wrong_amount")
