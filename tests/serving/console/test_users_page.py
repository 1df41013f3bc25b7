"""The administrator's pages."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from serving.access.model import NobodyKnown, Role
from serving.access.repository import actor_of
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.world import Bank, Client


def secret(text: str) -> str:
    """What a page shows once."""
    found = re.search(r"<pre>([^<]+)</pre>", text)
    assert found
    return found[1]


def test_somebody_new_signs_in_with_the_first_password_and_changes_it(signed: Sign, guest: Guest) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    made = root.post("/users", name="新人 <b>", role=["risk_officer"], password="yes")
    first = secret(made.text)
    assert first not in root.get("/users").text
    assert "新人 &lt;b&gt;" in root.get("/users").text
    assert root.post("/users", name="新人 <b>", role=["auditor"]).status_code == 409
    guest.sign_in("新人 <b>", first)
    assert guest.get("/inbox").headers["location"] == "/console/password"
    guest.post("/password", old=first, new="a sentence of my own")
    assert guest.get("/inbox").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "role": ["auditor"]},
        {"name": "x", "role": []},
        {"name": "x", "role": ["king"]},
        {"name": "x\u202ey", "role": ["auditor"]},
        {"name": "a/b", "role": ["auditor"]},
    ],
)
def test_nobody_is_made_of_wrong_fields(signed: Sign, fields: dict[str, object]) -> None:
    assert signed("root", Role.ADMINISTRATOR).post("/users", **fields).status_code == 422


def test_roles_and_sessions_end_what_was_open(signed: Sign) -> None:
    root, ada = signed("root", Role.ADMINISTRATOR), signed("mia", Role.RISK_OFFICER)
    assert "mia" in root.get("/users").text
    assert root.post("/users/mia/sessions").status_code == 303
    assert ada.get("/inbox").status_code == 303
    ada.sign_in("mia")
    assert root.post("/users/mia/roles", role=["auditor"]).status_code == 303
    ada.sign_in("mia")
    assert ada.get("/inbox").status_code == 403
    assert root.post("/users/mia/end").status_code == 303
    assert ada.sign_in("mia").status_code == 401
    assert "Ended" in text_of(root.get("/users/mia"))


def test_nobody_changes_or_ends_itself(signed: Sign) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    assert root.post("/users/root/end").status_code == 409
    assert root.post("/users/root/roles", role=["risk_officer"]).status_code == 409


def test_a_key_is_shown_once_opens_the_api_and_is_revoked(bank: Bank, signed: Sign, client: Client) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    root.post("/users", name="shop", role=["integration_engineer"])
    key = secret(root.post("/users/shop/key", days="90", permission=["read_decisions"]).text)
    page = root.get("/users/shop").text
    assert key not in page
    bank.tokens["shop"] = key
    assert client.as_("shop").ask("GET", f"/v1/decisions/{uuid4()}").status_code == 404
    assert client.as_("shop").ask("GET", "/v1/disputes").status_code == 403, "the key is for other things"
    begins = re.search(r"<code>([0-9a-f]{8})</code>", page)
    assert begins
    assert root.post("/users/shop/revoke", key=begins[1]).status_code == 303
    assert "Revoked" in text_of(root.get("/users/shop"))
    assert root.post("/users/shop/key", days="0").status_code == 422
    assert root.post("/users/nobody/key", days="9").status_code == 404


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_only_an_administrator_administers(signed: Sign, role: Role) -> None:
    other = signed(f"as {role}", role)
    assert other.get("/users").status_code == 403
    assert other.post("/users", name="x", role=["administrator"]).status_code == 403
    assert other.post("/users/root/password").status_code == 403


def test_another_tenants_people_are_unknown(signed: Sign) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    assert root.get("/users/stranger").status_code == 404
    assert root.post("/users/stranger/end").status_code == 404
    assert "stranger" not in root.get("/users").text


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.INTEGRATION_ENGINEER])
def test_no_key_is_made_for_a_person(signed: Sign, role: Role) -> None:
    root, name = signed("root", Role.ADMINISTRATOR), f"keyless {role}"
    root.post("/users", name=name, role=[role.value, "integration_engineer"])
    assert 'name="days"' not in root.get(f"/users/{name}").text
    refused = root.post(f"/users/{name}/key", days="90")
    assert refused.status_code == 409
    assert "yidai tokens create" in text_of(refused)


def test_a_key_of_a_system_does_not_outlive_its_becoming_a_person(
    bank: Bank, signed: Sign, client: Client
) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    root.post("/users", name="climber", role=["integration_engineer"])
    bank.tokens["climber"] = secret(root.post("/users/climber/key", days="90").text)
    root.post("/users/climber/roles", role=["integration_engineer"])
    assert client.as_("climber").ask("GET", f"/v1/decisions/{uuid4()}").status_code == 404
    root.post("/users/climber/roles", role=["integration_engineer", "risk_officer"])
    with pytest.raises(NobodyKnown):
        actor_of(bank.database, bank.tokens["climber"], bank.clock())
    root.post("/users/climber/roles", role=["integration_engineer"])
    with pytest.raises(NobodyKnown):
        actor_of(bank.database, bank.tokens["climber"], bank.clock())


def test_one_session_of_a_person_is_ended_and_the_other_stays(signed: Sign) -> None:
    root, first = signed("root", Role.ADMINISTRATOR), signed("una", Role.RISK_OFFICER)
    keys = re.findall(r'name="key" value="([0-9a-f]{12})"', root.get("/users/una").text)
    second = signed("una", Role.RISK_OFFICER)
    assert len(keys) == 1
    assert root.post("/users/una/sessions", key=keys[0]).status_code == 303
    assert first.get("/inbox").status_code == 303
    assert second.get("/inbox").status_code == 200


def test_a_name_that_is_a_number_or_looks_like_anothers_is_refused(signed: Sign) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    numbered = root.post("/users", name="110105199001011237", role=["auditor"])
    assert numbered.status_code == 422
    assert "110105199001011237" not in numbered.text
    assert root.post("/users", name="Root", role=["auditor"]).status_code == 409
    assert root.post("/users", name="..", role=["auditor"]).status_code == 422
