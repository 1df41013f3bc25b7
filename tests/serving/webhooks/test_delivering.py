"""What happened is told to who asked, signed, until it is taken: never lost, under one id."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from features.calendar import iso
from serving.cases.model import CaseState
from serving.store.session import owner_transaction, tenant_transaction
from serving.webhooks.delivering import Told, deliver_all
from serving.webhooks.model import LEASE, MOST_ATTEMPTS, SECOND, EventKind, back_off
from tests.serving.webhooks.conftest import register
from tests.serving.webhooks.receiving import Receiver, documented_check
from tests.serving.world import GOOD, LATE, Bank, Client, problem

HOURS = 7 * 3600
KILLED = """
from serving.settings import Settings
from serving.store.engine import open_database
from serving.webhooks.delivering import deliver_all
settings = Settings.load()
deliver_all(settings, open_database(settings), lambda: {now})
"""


def test_a_decision_is_told_signed_and_names_nobody(
    client: Client, bank: Bank, consent: str, receiver: Receiver, turn
) -> None:
    hook = register(client, receiver, "decision.made")
    answer = client.decide(GOOD, consent, key="told once").json()
    assert client.decide(GOOD, consent, key="told once").status_code == 200, "a repetition is no news"
    assert turn() == Told(delivered=1)
    ((headers, body),) = receiver.came
    told = json.loads(body)
    assert told["type"] == "decision.made"
    assert told["data"] == {"decision_id": answer["decision_id"], "outcome": answer["outcome"]}
    assert iso(bank.clock.now)[:13] == answer["decided_at"][:13]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told["timestamp"])
    assert GOOD not in body.decode()
    now = bank.clock.now / 1e6
    check = documented_check()
    assert check(hook["secret"], headers, body, now) == headers["webhook-id"]
    for wrong in (
        (hook["secret"], headers, body + b" ", now),
        (hook["secret"], headers | {"webhook-id": "another"}, body, now),
        (hook["secret"], headers, body, now + 301),
        ("whsec_" + "A" * 44, headers, body, now),
    ):
        with pytest.raises(ValueError, match=r"signed|old"):
            check(*wrong)
    assert turn() == Told(), "once"


def test_what_is_not_stored_is_not_told(
    client: Client, consent: str, receiver: Receiver, turn, bank: Bank
) -> None:
    register(client, receiver)
    problem(client.decide(LATE, consent), 403)
    with tenant_transaction(bank.database, "city") as connection:
        connection.execute("SELECT tell_webhooks('city', 'decision.made', 1, '{}')")
        assert connection.execute("SELECT count(*) FROM webhook_delivery").fetchone() == (1,)
        connection.rollback()
    assert turn() == Told()
    assert receiver.came == []


def test_only_the_kinds_that_were_asked_for_and_only_the_own_tenant(
    client: Client, consent: str, receiver: Receiver, turn, bank: Bank
) -> None:
    register(client, receiver, "alert.raised")
    theirs = client.as_("stranger").ask(
        "POST", "/v1/webhooks", json={"url": receiver.url + "/theirs", "kinds": ["decision.made"]}
    )
    assert theirs.status_code == 201
    assert client.decide(GOOD, consent).status_code == 201
    assert turn() == Told()


def test_each_kind_is_told_by_what_it_is_about(
    client: Client, bank: Bank, receiver: Receiver, turn, consent: str
) -> None:
    """The rows are changed as their use cases change them; each kind's trigger is in the store itself."""
    answer = client.decide(GOOD, consent).json()
    register(client, receiver)
    changes = (
        """INSERT INTO alert_case (tenant_id, case_id, about, opened_at) VALUES ('city', gen_random_uuid(), 'subject:1', 1)""",
        """INSERT INTO alert (tenant_id, alert_id, case_id, loan, subject_id, signal, level, state, coverage, points, seen_at,
           evidence, evidence_at, signals_digest, playbook, expects_by, owner, raised_at, updated_at, due_at)
           SELECT 'city', gen_random_uuid(), case_id, 'loan-7', 1, 'late', 'orange', 'new', 'full', 1, 1, '{}', 1, '', '', 1, '',
           1, 1, 1 FROM alert_case""",
        "UPDATE alert SET updated_at = 2",
        "UPDATE alert SET level = 'red', updated_at = 3",
        """INSERT INTO offer (tenant_id, decision_id, subject_id, product, limit_fen, line_months, made_at, valid_to)
           SELECT tenant_id, decision_id, subject_id, 'consumer', 1, 1, 1, 2 FROM decision WHERE decision_id = '{id}'
           ON CONFLICT DO NOTHING""",
        "UPDATE offer SET state = 'expired', settled_at = 3, held_fen = 0 WHERE decision_id = '{id}'",
        """INSERT INTO review_case (tenant_id, decision_id, origin, system_outcome, opened_at, due_at, requested_at, requested_by)
           SELECT tenant_id, decision_id, 'request', outcome, 1, 2, 1, actor_id FROM decision WHERE decision_id = '{id}'""",
        f"""UPDATE review_case SET state = '{CaseState.DECIDED}', outcome = 'decline', decided_at = 4, linked_id = '{{id}}'
            WHERE decision_id = '{{id}}'""",
    )
    with owner_transaction(bank.database) as owner:
        for change in changes:
            owner.execute(change.replace("{id}", answer["decision_id"]))
    dispute = client.ask(
        "POST", "/v1/disputes",
        json={"id_number": GOOD, "dataset": "bank_transaction", "key": {"transaction_id": f"{GOOD[-4:]}0"}, "ground": "no"},
    )  # fmt: skip
    assert dispute.status_code == 201, dispute.text
    name = dispute.json()["dispute_id"]
    answered = client.as_("risk_officer").ask(
        "POST", f"/v1/disputes/{name}/answer", json={"verdict": "upheld", "answer": "seen"}
    )
    assert answered.status_code == 200, answered.text
    turn()
    told = {json.loads(body)["type"]: json.loads(body)["data"] for _, body in receiver.came}
    assert set(told) == set(EventKind) - {"decision.made"}
    assert len(receiver.came) == len(told), "an alert that changes is none that is raised"
    assert (told["alert.raised"]["signal"], told["alert.raised"]["level"]) == ("late", "orange")
    assert (told["alert.escalated"]["level"], told["alert.escalated"]["late"]) == ("red", 0)
    assert told["offer.expired"] == {"decision_id": answer["decision_id"]}
    assert told["dispute.answered"] == {"dispute_id": name, "verdict": "upheld"}
    assert told["case.decided"]["outcome"] == "decline"
    assert "loan-7" not in str(told), "a loan's number may be an account's"


def test_a_receiver_that_fails_is_tried_again_until_the_delivery_is_dead_and_then_replayed(
    client: Client, receiver: Receiver, turn
) -> None:
    hook = register(client, receiver)
    path = f"/v1/webhooks/{hook['endpoint_id']}"
    receiver.status = 500
    assert client.ask("POST", f"{path}/test").json()["state"] == "waiting"
    assert turn() == Told(failed=1)
    assert turn() == Told(), "not before its time"
    receiver.status = 302
    assert turn(5) == Told(failed=1), "a redirect is not followed"
    for _ in range(MOST_ATTEMPTS - 3):
        assert turn(HOURS) == Told(failed=1)
    assert turn(HOURS) == Told(dead=1)
    assert turn(HOURS) == Told()
    (dead,) = client.ask("GET", f"{path}/deliveries", params={"state": "dead"}).json()
    assert (dead["attempts"], dead["status"]) == (MOST_ATTEMPTS, 302)
    assert client.ask("GET", "/v1/webhooks").json()[0]["dead"] == 1
    receiver.status = 200
    again = client.ask("POST", f"{path}/deliveries/{dead['delivery_id']}/replay")
    assert again.json()["state"] == "waiting"
    problem(client.ask("POST", f"{path}/deliveries/{dead['delivery_id']}/replay"), 404, "unknown_delivery")
    assert turn() == Told(delivered=1)
    assert set(receiver.ids) == {dead["delivery_id"]}
    assert len({body for _, body in receiver.came}) == 1
    assert client.ask("POST", f"{path}/deliveries/{dead['delivery_id']}/replay").status_code == 200
    assert turn() == Told(delivered=1), "also what was delivered"


def test_a_killed_worker_loses_nothing_and_the_id_stays(
    client: Client, bank: Bank, consent: str, receiver: Receiver, turn
) -> None:
    register(client, receiver, "decision.made")
    answer = client.decide(GOOD, consent).json()
    receiver.held.clear()
    settings = bank.settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YIDAI_")} | {
        "YIDAI_DATABASE_URL": settings.database_url, "YIDAI_HOME": str(settings.home),
        "YIDAI_MASTER_KEY_FILE": str(settings.master_key_file), "YIDAI_WEBHOOKS_PRIVATE": "yes",
    }  # fmt: skip
    code = KILLED.format(now=bank.clock())
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as worker:
        until = time.monotonic() + 30
        while not receiver.came:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert turn() == Told(), "it is being sent: nobody else sends it"
        worker.send_signal(signal.SIGKILL)
    receiver.held.set()
    assert turn(LEASE / SECOND) == Told(delivered=1)
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    assert {json.loads(body)["data"]["decision_id"] for _, body in receiver.came} == {answer["decision_id"]}


def test_workers_beside_each_other_send_each_thing_once(
    client: Client, bank: Bank, receiver: Receiver, private
) -> None:
    hook = register(client, receiver)
    for _ in range(40):
        client.ask("POST", f"/v1/webhooks/{hook['endpoint_id']}/test")
    told: list[Told] = []
    workers = [
        threading.Thread(target=lambda: told.append(deliver_all(private, bank.database, bank.clock)))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sum(told, Told()) == Told(delivered=40)
    assert len(set(receiver.ids)) == len(receiver.ids) == 40


def test_the_wait_grows_is_spread_and_has_an_end() -> None:
    assert back_off(1, 0.0) == 2_500_000
    assert back_off(2, 1.0) == 15_000_000
    assert back_off(MOST_ATTEMPTS, 1.0) == 6 * 3600 * 1_000_000
    assert all(back_off(n, 0.5) <= back_off(n + 1, 0.5) for n in range(1, MOST_ATTEMPTS))
