"""The stop switch: what is stopped is referred, nobody is refused for it, and who did it is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from serving.access.model import Permission
from serving.cli import app
from serving.decisions.replay import ReplayStatus, replay
from serving.registry.model import Kind
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.policy.documents import plain
from tests.serving.world import DISHONEST, GOOD, LATE, Bank, Client, policy_with, problem


@pytest.fixture(scope="module", autouse=True)
def no_cap(bank: Bank) -> None:
    """Nothing bounds a household."""
    tables = plain()["tables"] | {"exposure_caps": []}
    bank.approved("policy", Kind.POLICY, policy_with(tables=tables, random_approval=None))


@pytest.fixture(autouse=True)
def nothing_stopped(bank: Bank) -> Iterator[None]:
    """Each test begins with nothing stopped."""
    yield
    with owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM approval_stop")


def switch(client: Client, way: str = "stop", **body: Any) -> Any:
    """Stop or resume as the risk officer."""
    return client.as_("risk_officer").ask(
        "POST", f"/v1/approvals/{way}", json={"reason": "a feed is wrong", **body}
    )


def outcome(client: Client, number: str) -> dict[str, Any]:
    """The answer to a new application."""
    got = client.decide(number, client.consent_id(number))
    assert got.status_code == 201, got.text
    return dict(got.json())


@pytest.mark.parametrize("what", [{"all": True}, {"product": "consumer"}, {"model": "risk"}])
def test_while_approvals_are_stopped_a_person_decides(client: Client, bank: Bank, what: dict) -> None:
    assert outcome(client, GOOD)["outcome"] == "approve"
    assert switch(client, **what).status_code == 200
    held = outcome(client, GOOD)
    assert (held["outcome"], held["offer"], held["limit_fen"]) == ("refer", None, 0)
    assert [reason["code"] for reason in held["reasons"]] == ["APPROVALS_STOPPED"]
    case = client.as_("auditor").ask("GET", f"/v1/decisions/{held['decision_id']}/receipt").json()["case"]
    assert list(case["stops"].values()) == ["a feed is wrong"]
    notice = client.ask("GET", f"/v1/decisions/{held['decision_id']}/notice")
    assert notice.status_code == 200, notice.text
    assert "a person decides" in notice.text
    assert "a feed is wrong" not in notice.text
    assert switch(client, "resume", **what).json() == []
    assert outcome(client, GOOD)["outcome"] == "approve"
    auditor = bank.authority("auditor", Permission.REPLAY)
    (found,) = replay(bank.settings, bank.database, auditor, UUID(held["decision_id"]))
    assert found.status is ReplayStatus.SAME


@pytest.mark.parametrize("what", [{"product": "business"}, {"model": "rating"}])
def test_what_is_stopped_elsewhere_stops_nothing_here(client: Client, what: dict) -> None:
    got = switch(client, **what)
    assert got.status_code == 200, got.text
    assert outcome(client, GOOD)["outcome"] == "approve"


def test_a_stop_changes_no_refusal_and_no_referral(client: Client) -> None:
    before = [outcome(client, number) for number in (DISHONEST, LATE)]
    switch(client, all=True)
    after = [outcome(client, number) for number in (DISHONEST, LATE)]
    for one, other in zip(before, after, strict=True):
        assert one["outcome"] == other["outcome"] != "approve"
        assert one["reasons"] == other["reasons"]


def test_who_stopped_and_who_resumed_is_in_the_audit_log(client: Client, bank: Bank) -> None:
    switch(client, product="consumer")
    switch(client, "resume", product="consumer", reason="mended")
    with tenant_transaction(bank.database, "city") as connection:
        asked = "SELECT action, object, detail FROM audit_log WHERE action LIKE 'approvals.%' ORDER BY at DESC LIMIT 2"
        found = connection.execute(asked).fetchall()
    told = [
        (action, thing, detail if isinstance(detail, dict) else json.loads(detail))
        for action, thing, detail in found
    ]
    assert told == [
        ("approvals.resumed", "product:consumer", {"reason": "mended"}),
        ("approvals.stopped", "product:consumer", {"reason": "a feed is wrong"}),
    ]
    (row,) = client.as_("auditor").ask("GET", "/v1/approvals?ended=true").json()
    assert (row["kind"], row["name"], row["ended_for"]) == ("product", "consumer", "mended")


def test_what_cannot_be_stopped_or_resumed_is_refused_with_its_remedy(client: Client) -> None:
    unknown = problem(switch(client, product="moon"), 422)
    assert "consumer" in unknown["remedy"]
    assert "risk" in problem(switch(client, model="moon"), 422)["remedy"]
    problem(switch(client, product="consumer", model="risk"), 422)
    problem(switch(client), 422)
    problem(switch(client, all=True, reason=" "), 422)
    problem(switch(client, all=True, reason=f"about {GOOD}"), 422)
    problem(switch(client, "resume", all=True), 404)
    assert switch(client, all=True).status_code == 200
    problem(switch(client, all=True), 409)


def test_another_tenant_s_stop_stops_nothing(client: Client) -> None:
    got = client.as_("stranger").ask("POST", "/v1/approvals/stop", json={"all": True, "reason": "theirs"})
    assert got.status_code == 200
    assert client.as_("auditor").ask("GET", "/v1/approvals").json() == []
    assert outcome(client, GOOD)["outcome"] == "approve"


def test_the_commands_stop_resume_and_tell(
    client: Client, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {
        "YIDAI_HOME": bank.settings.home, "YIDAI_DATABASE_URL": bank.settings.database_url, "YIDAI_TENANT": "city",
        "YIDAI_TOKEN": bank.tokens["risk_officer"], "YIDAI_MASTER_KEY_FILE": bank.settings.key_file,
    }  # fmt: skip
    for name, value in named.items():
        monkeypatch.setenv(name, str(value))

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, ["approvals", *words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert [one["name"] for one in run("stop", "consumer", "--reason", "a feed is wrong")] == ["consumer"]
    assert outcome(client, GOOD)["outcome"] == "refer"
    assert run("resume", "consumer", "--reason", "mended") == []
    assert [one["ended_for"] for one in run("show", "--ended")] == ["mended"]
    assert "mended" in CliRunner().invoke(app, ["approvals", "show", "--ended"]).output
    assert outcome(client, GOOD)["outcome"] == "approve"
