"""Keys of a tenant: limited in what they are for, replaced with an overlap, listed without their secret."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from features.calendar import DAY
from features.errors import Invalid
from serving.access import operations
from serving.access.model import GRANTED, NobodyKnown, OutOfScope, Permission, Role, Scope
from serving.access.repository import UnknownActor, actor_of, create_token, revoke_tokens
from serving.access.tokens import KeyState, NoKey, SeveralScopes, keys_of, rotate_token
from serving.cli import app
from serving.store.migrate import migrate
from serving.store.session import owner_transaction
from tests.serving.store.test_rights_migration import down_to
from tests.serving.world import GOOD, NOW, Bank, Client, application, problem

ENGINEER = Role.INTEGRATION_ENGINEER


def made(bank: Bank, name: str, scope: Scope, **more: Any) -> str:
    """A key of an engineer, known to clients by its name."""
    bank.tokens[name] = create_token(bank.database, "city", name, [ENGINEER], NOW, scope=scope, **more)
    return bank.tokens[name]


def works(bank: Bank, token: str, at: int) -> bool:
    """Whether a key opens at a moment."""
    try:
        return bool(actor_of(bank.database, token, at))
    except NobodyKnown:
        return False


def test_a_key_for_one_permission_does_that_and_nothing_else(
    bank: Bank, client: Client, consent: str
) -> None:
    made(bank, "decider", Scope.of([Permission.DECIDE], []))
    decider = client.as_("decider")
    assert decider.decide(GOOD, consent).status_code == 201
    refused = problem(decider.ask("GET", f"/v1/consents/{consent}"), 403, "out_of_scope")
    assert "tokens list" in refused["remedy"]
    for permission in GRANTED[ENGINEER] - {Permission.DECIDE}:
        with pytest.raises(OutOfScope):
            actor_of(bank.database, bank.tokens["decider"], NOW).allowed(permission)


def test_a_scope_gives_nothing_that_the_role_does_not(bank: Bank, client: Client) -> None:
    made(bank, "climber", Scope.of([Permission.ERASE], []))
    body = {"id_number": GOOD, "reason": "tried"}
    problem(client.as_("climber").ask("DELETE", "/v1/subjects", json=body), 403, "not_permitted")


def test_a_key_for_one_product_decides_no_other_whichever_way_it_asks(
    bank: Bank, client: Client, consent: str
) -> None:
    made(bank, "shop", Scope.of([], ["consumer"]))
    shop = client.as_("shop")
    assert shop.decide(GOOD, consent).status_code == 201
    problem(shop.decide(GOOD, consent, product="tax_loan"), 403, "out_of_scope")
    line = application(GOOD, consent, product="tax_loan") | {"idempotency_key": str(uuid4())}
    got = shop.ask("POST", "/v1/decisions:batch", content=json.dumps(line).encode())
    assert (got.json()["status"], got.json()["code"]) == (403, "out_of_scope")


def test_after_a_rotation_both_open_for_the_overlap_and_then_the_new_one_only(bank: Bank) -> None:
    scope = Scope.of([Permission.DECIDE], ["consumer"])
    old = made(bank, "rotated", scope, expires_at=NOW + 90 * DAY)
    new = rotate_token(bank.database, "city", "rotated", NOW + DAY, overlap=3_600)
    assert works(bank, old, NOW + DAY + 3_599)
    assert works(bank, new, NOW + DAY)
    assert not works(bank, old, NOW + DAY + 3_600)
    assert actor_of(bank.database, new, NOW + DAY + 3_600).scope == scope
    assert works(bank, new, NOW + 91 * DAY - 1)  # as long as the old one was made for
    assert not works(bank, new, NOW + 91 * DAY)


def test_an_overlap_lengthens_no_life_and_rotations_at_once_follow_each_other(bank: Bank) -> None:
    old = made(bank, "busy", Scope(), expires_at=NOW + 50)
    with ThreadPoolExecutor(4) as threads:
        rotations = [
            threads.submit(rotate_token, bank.database, "city", "busy", NOW + 10, 1_000) for _ in range(4)
        ]
        new = [each.result() for each in rotations]
    assert not works(bank, old, NOW + 50)
    assert len(set(new)) == 4
    assert sum(works(bank, each, NOW + 10 + 49) for each in new) == 4
    assert not any(works(bank, each, NOW + 10 + 50) for each in new)  # each as long as the old one


def test_who_has_no_key_or_several_scopes_cannot_rotate(bank: Bank) -> None:
    with pytest.raises(UnknownActor):
        rotate_token(bank.database, "city", "nobody", NOW, 0)
    made(bank, "twofold", Scope.of([Permission.DECIDE], []))
    made(bank, "twofold", Scope())
    with pytest.raises(SeveralScopes):
        rotate_token(bank.database, "city", "twofold", NOW, 0)
    first = next(key for key in keys_of(bank.database, "city", NOW) if key.name == "twofold")
    assert revoke_tokens(bank.database, "city", "twofold", NOW, first.key) == 1
    rotate_token(bank.database, "city", "twofold", NOW, 0)
    revoke_tokens(bank.database, "city", "twofold", NOW)
    with pytest.raises(NoKey):
        rotate_token(bank.database, "city", "twofold", NOW, 0)


def test_a_list_says_use_scope_and_end_and_never_the_secret_or_another_tenants(bank: Bank) -> None:
    token = made(bank, "listed", Scope.of([Permission.DECIDE], ["consumer"]), expires_at=NOW + 20 * DAY)

    def one(at: int) -> Any:
        (found,) = [key for key in keys_of(bank.database, "city", at) if key.name == "listed"]
        return found

    assert (one(NOW).last_used_at, one(NOW).state) == (None, KeyState.LIVE)
    assert (one(NOW).permissions, one(NOW).products) == (("decide",), ("consumer",))
    actor_of(bank.database, token, NOW + 5)
    actor_of(bank.database, token, NOW + 60_000_000)  # within the minute: not written again
    assert one(NOW).last_used_at == NOW + 5
    actor_of(bank.database, token, NOW + 60_000_006)
    assert one(NOW).last_used_at == NOW + 60_000_006
    assert [one(NOW + days * DAY).state.value for days in (5, 6, 19, 20)] == [
        "live", "ending", "ending", "expired",
    ]  # fmt: skip
    listed = repr(keys_of(bank.database, "city", NOW))
    assert token not in listed
    assert "stranger" not in listed


def told(bank: Bank, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """What a command says for this bank."""
    for name in ("home", "database_url", "master_key_file"):
        monkeypatch.setenv(f"YIDAI_{name.upper()}", str(getattr(bank.settings, name)))
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_the_commands_make_list_rotate_and_end_keys(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (
        "--role",
        "integration_engineer",
        "--permission",
        "decide",
        "--product",
        "consumer",
        "--days",
        "3",
    )
    first = told(bank, monkeypatch, "tokens", "create", "terminal", *asked).stdout.strip()
    second = told(bank, monkeypatch, "tokens", "rotate", "terminal", "--overlap-hours", "1").stdout.strip()
    listed = told(bank, monkeypatch, "tokens", "list")
    rows = [
        one
        for one in json.loads(told(bank, monkeypatch, "tokens", "list", "--json").stdout)
        if one["name"] == "terminal"
    ]
    assert [row["state"] for row in rows] == ["ending", "ending"]
    assert rows[1]["permissions"] == ["decide"]
    assert "yidai tokens rotate terminal" in " ".join(listed.stdout.split())
    assert first not in listed.stdout
    assert second not in listed.stdout
    ended = told(bank, monkeypatch, "tokens", "revoke", "terminal", "--key", rows[0]["key"])
    assert "1 tokens of terminal ended" in ended.stdout
    with owner_transaction(bank.database) as owner:
        rows = owner.execute("SELECT detail::text FROM audit_log WHERE object = 'terminal'").fetchall()
    assert len(rows) == 3
    assert not any(secret in text for (text,) in rows for secret in (first, second))


def test_who_made_rotated_and_ended_a_key_is_in_the_audit_log(bank: Bank) -> None:
    by, database = bank.authority("administrator", Permission.ADMINISTER).actor.actor_id, bank.database
    create_token(database, "city", "noted", [ENGINEER], NOW, by=by)
    rotate_token(database, "city", "noted", NOW, 0, by=by)
    revoke_tokens(database, "city", "noted", NOW, by=by)
    with owner_transaction(database) as owner:
        asked = "SELECT action, actor_id FROM audit_log WHERE object = 'noted' ORDER BY entry"
        told = owner.execute(asked).fetchall()
    assert told == [("token.created", by), ("token.rotated", by), ("token.revoked", by)]


def test_a_permission_that_does_not_exist_is_refused_with_those_that_do(bank: Bank) -> None:
    with pytest.raises(Invalid, match=r"there is no permission 'decied'.*decide"):
        operations.create_access(bank.settings, "x", ["analyst"], permissions=["decied"])


def test_keys_outlive_the_migration_forth_and_back_and_a_limited_one_never_opens_more(store: Any) -> None:
    from serving.access.repository import create_tenant

    settings, database = store
    bank = Bank(replace(settings, tenant="city"), database, {}, lambda: NOW)
    create_tenant(database, "city", "City bank", NOW)
    free, limited = made(bank, "free", Scope()), made(bank, "limited", Scope.of([Permission.DECIDE], []))
    down_to(database, "0020")
    with owner_transaction(database) as owner:
        count = "SELECT count(*) FROM token WHERE revoked_at IS NULL AND actor_id IN (SELECT actor_id FROM actor WHERE name IN ('free', 'limited'))"
        assert owner.execute(count).fetchone() == (1,)
    migrate(database)
    assert works(bank, free, NOW)
    assert not works(bank, limited, NOW)
