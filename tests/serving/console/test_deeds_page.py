"""The auditor's page of deeds: who did what to what, by filters and page by page."""

from __future__ import annotations

import re

import pytest

from serving.access.model import Role
from serving.console.audit import MOST_DEEDS
from serving.store.audit import record
from serving.store.session import tenant_transaction
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.console.test_users_page import secret
from tests.serving.world import NOW, Bank


def rows(guest: Guest, query: str) -> list[str]:
    """The rows of a page as a person reads them."""
    page = guest.get(f"/audit/deeds?{query}")
    assert page.status_code == 200
    return [
        re.sub(r"<[^>]+>", " ", each) for each in re.findall(r"<tr data-row>.*?</tr>", page.text, re.DOTALL)
    ]


def test_who_made_and_ended_a_key_is_told_to_an_auditor(signed: Sign) -> None:
    root, aud = signed("root", Role.ADMINISTRATOR), signed("aud", Role.AUDITOR)
    root.post("/users", name="till", role=["integration_engineer"])
    key = secret(root.post("/users/till/key", days="9").text)
    begins = re.findall(r"<code>([0-9a-f]{8})</code>", root.get("/users/till").text)[0]
    root.post("/users/till/revoke", key=begins)
    ended, made = rows(aud, "who=root&action=token")
    assert all("root" in one and "till" in one for one in (ended, made))
    assert ("token.revoked" in ended, "token.created" in made) == (True, True)
    assert len(rows(aud, "who=root&action=token.created")) == 1
    assert rows(aud, "who=root&action=tok") == rows(aud, "who=nobody") == []
    assert key not in aud.get("/audit/deeds").text


def test_whose_password_or_session_it_was_is_told_by_name(signed: Sign) -> None:
    root, aud = signed("root", Role.ADMINISTRATOR), signed("aud", Role.AUDITOR)
    root.post("/users", name="vera", role=["auditor"], password="yes")
    (told,) = rows(aud, "who=root&action=password.set")
    assert "vera" in told


def test_pages_follow_each_other_without_gap_and_time_narrows(bank: Bank, signed: Sign) -> None:
    aud = signed("aud", Role.AUDITOR)
    with tenant_transaction(bank.database, "city") as connection:
        for place in range(MOST_DEEDS + 5):
            record(connection, "city", NOW, None, "trial.made", f"thing {place:03}", tags=["a", "b"])
    with tenant_transaction(bank.database, "other") as connection:
        record(connection, "other", NOW, None, "trial.made", "theirs")
    first = aud.get("/audit/deeds?action=trial")
    after = first.text.split("after=")[1].split('"')[0]
    seen = [*rows(aud, "action=trial"), *rows(aud, f"action=trial&after={after}")]
    names = [re.findall(r"thing \d{3}", one)[0] for one in seen]
    assert names == [f"thing {place:03}" for place in reversed(range(MOST_DEEDS + 5))]
    assert "a, b" in seen[0]
    assert "a command" in seen[0]
    assert rows(aud, "action=trial&until=2020-01-01") == rows(aud, "action=trial&since=2100-01-01") == []


@pytest.mark.parametrize("query", ["since=yesterday", "who=%00", "after=-1", "after=x", f"after={2**63}"])
def test_what_cannot_be_asked_is_the_askers_fault(signed: Sign, query: str) -> None:
    assert 400 <= signed("aud", Role.AUDITOR).get(f"/audit/deeds?{query}").status_code < 500


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AUDITOR])
def test_nobody_else_reads_deeds(signed: Sign, role: Role) -> None:
    refused = signed(f"as {role}", role).get("/audit/deeds")
    assert refused.status_code == 403
    assert "token." not in text_of(refused)
