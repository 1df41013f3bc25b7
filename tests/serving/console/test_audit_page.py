"""The auditor's pages: found, opened, replayed, verified, and who saw what."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest

from features.timeline.door import Entry
from serving.access.model import Role
from serving.log.operations import seal_all
from serving.store.access_log import CommandLog
from serving.store.session import tenant_transaction
from tests.serving.cases.desk import decided
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import text_of
from tests.serving.world import GOOD, MIDDLE, NOBODY, Bank, Client

pytestmark = pytest.mark.usefixtures("nothing_promised")


@pytest.fixture(scope="module")
def made(client: Client, bank: Bank) -> str:
    """A decision about GOOD, sealed."""
    found = decided(client, GOOD, "approve")
    seal_all(bank.settings, bank.database, bank.clock())
    return found


def test_a_decision_is_found_by_its_id_its_person_its_officer_and_what_was_in_force(
    bank: Bank, made: str, client: Client, signed: Sign
) -> None:
    other = decided(client, MIDDLE, "refer")
    aud = signed("aud", Role.AUDITOR)
    assert made in aud.get(f"/audit?decision={made}").text
    assert other not in aud.get(f"/audit?decision={made}").text
    by_person = aud.post("/audit", number=GOOD)
    assert made in by_person.text
    assert other not in by_person.text
    assert GOOD not in by_person.text
    assert made in aud.get("/audit?who=integration_engineer").text
    assert made not in aud.get("/audit?who=somebody").text
    digest = client.ask("GET", f"/v1/decisions/{made}").json()["digests"]["bundle.risk"]
    assert made in aud.get(f"/audit?model={digest[:12]}").text
    assert made not in aud.get("/audit?model=00000000").text
    assert aud.get("/audit?model=abc").status_code == 422
    assert made not in aud.get("/audit?outcome=decline").text
    assert made not in aud.get("/audit?until=2020-01-01").text
    assert aud.get("/audit?since=yesterday").status_code == 422
    assert aud.get("/audit?decision=no-id").status_code == 200


def test_pages_of_decisions_follow_each_other_without_gap(client: Client, signed: Sign, made: str) -> None:
    consent = client.consent_id(MIDDLE)
    names = {client.decide(MIDDLE, consent).json()["decision_id"] for _ in range(55)} | {made}
    aud = signed("aud", Role.AUDITOR)
    first = aud.get("/audit")
    after = first.text.split("after=")[1].split('"')[0]
    seen = first.text + aud.get(f"/audit?after={after}").text
    assert not {name for name in names if name not in seen}


def test_a_number_that_nobody_has_or_that_is_none_is_told_so(signed: Sign) -> None:
    aud = signed("aud", Role.AUDITOR)
    for number, status in ((NOBODY, 404), ("123", 422), ("", 422)):
        answer = aud.post("/audit", number=number)
        assert answer.status_code == status
        assert NOBODY not in answer.text


def test_a_decision_is_opened_replayed_and_proved(signed: Sign, made: str) -> None:
    aud = signed("aud", Role.AUDITOR)
    page = text_of(aud.get(f"/audit/decisions/{made}"))
    assert "add up to" in page
    assert "of a tree of" in page
    assert "The same to the byte" in text_of(aud.post(f"/audit/decisions/{made}/replay"))
    kept = aud.get(f"/audit/decisions/{made}/receipt.json")
    assert kept.headers["content-disposition"].startswith("attachment")
    assert kept.json()["answer"]["decision_id"] == made
    assert aud.get(f"/audit/decisions/{uuid4()}").status_code == 404


def test_the_log_is_verified_at_a_click(signed: Sign, made: str) -> None:
    aud = signed("aud", Role.AUDITOR)
    assert "yidai/city" in aud.get("/audit/log").text
    assert "Every row is as it was sealed" in text_of(aud.post("/audit/log"))
    assert made


def test_who_saw_what_and_why_is_told_and_a_person_is_asked_for_by_form(signed: Sign, made: str) -> None:
    aud = signed("aud", Role.AUDITOR)
    page = text_of(aud.get("/audit/access"))
    assert "integration_engineer" in page
    assert "Credit assessment" in page
    mine = aud.post("/audit/access", number=GOOD)
    assert "integration_engineer" in text_of(mine)
    assert GOOD not in mine.text
    early = aud.post("/audit/access", number=GOOD, until="2020-01-01")
    assert "integration_engineer" not in text_of(early)
    assert aud.get("/audit/access?purpose=gossip").status_code == 422
    assert made


def test_reads_are_told_newest_first_and_page_by_page_without_gap(bank: Bank, signed: Sign) -> None:
    aud, noon = signed("aud", Role.AUDITOR), bank.clock() + 10**9
    reads = [
        Entry(noon + max(0, place - 230), f"reader {place:03}", "city", "audit", (), (), (), (), (), None)
        for place in range(410)
    ]
    with tenant_transaction(bank.database, "city") as connection:
        for each in reads:
            CommandLog(connection, "city").write(each)
    seen, address = [], "/audit/access?purpose=audit"
    while address:
        page = aud.get(address).text
        seen += re.findall(r"reader \d{3}", page)
        after = re.search(r'rel="next" href="/console([^"]+)"', page)
        address = unescape(after[1]) if after else ""
    assert len(seen) == 410
    assert seen[:179] == [f"reader {place:03}" for place in range(409, 230, -1)]
    assert set(seen[179:]) == {f"reader {place:03}" for place in range(231)}
    assert aud.get("/audit/access?before=x").status_code == 422


@pytest.mark.parametrize(
    "role", [Role.RISK_OFFICER, Role.ANALYST, Role.ADMINISTRATOR, Role.INTEGRATION_ENGINEER]
)
def test_nobody_else_audits(signed: Sign, role: Role) -> None:
    assert signed(f"as {role}", role).get("/audit").status_code == 403
