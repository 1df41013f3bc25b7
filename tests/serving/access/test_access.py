"""Who may do what, for which tenant: held by tokens, by roles, and by the database itself."""

from __future__ import annotations

from itertools import product
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psycopg
import pytest

from serving.access.bearer import Doorkeeper
from serving.access.model import GRANTED, NobodyKnown, NotPermitted, Permission, Role
from serving.access.repository import RolesDiffer, UnknownActor, actor_of, create_token, new_id, revoke_tokens
from serving.store.engine import APP_ROLE
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.access.routes import NOBODYS, QUERIES, ROUTES, described, nobodys
from tests.serving.world import GOOD, LATE, NOW, Bank, Client, application, asking, problem

UNDER_TENANT = (
    "consent", "subject_timeline", "artifact", "approval", "activation", "decision", "decision_key", "budget", "audit_log", "alert",
    "dispute", "erasure", "access_log", "model_entry", "evidence", "promotion",
    "decision_link", "review_case", "subject_statement", "subject_report", "offer", "drawdown", "approval_stop", "repayment", "escalation",
    "webhook_endpoint", "webhook_delivery", "alert_case", "alert_point", "alert_event", "loan_account", "model_issue", "report", "class_point", "class_event",
    "receipt_unsealed", "log_leaf", "log_tile", "log_key", "log_checkpoint",
)  # fmt: skip


@pytest.fixture(scope="module")
def decided(client: Client, bank: Bank) -> dict[str, str]:
    """A consent and a decision of the city's bank."""
    consent = client.consent_id(GOOD)
    return {"consent": consent, "decision": client.decide(GOOD, consent).json()["decision_id"]}


def test_the_application_role_cannot_pass_row_level_security(bank: Bank) -> None:
    with owner_transaction(bank.database) as owner:
        flags = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
        row = owner.execute(f"SELECT {flags} FROM pg_roles WHERE rolname = %s", (APP_ROLE,)).fetchone()
        assert row == (False,) * 5
        owned = owner.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", (APP_ROLE,)
        ).fetchone()
        assert owned == (0,)
        forced = owner.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relrowsecurity AND c.relforcerowsecurity"
        ).fetchall()
        assert {name for (name,) in forced} == set(UNDER_TENANT)
    with psycopg.connect(bank.database.app_url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (APP_ROLE,)


def test_the_city_has_rows_to_be_hidden(bank: Bank, decided: dict) -> None:
    with tenant_transaction(bank.database, "city") as connection:
        for table in ("consent", "subject_timeline", "artifact", "activation", "decision", "audit_log"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0, table


@pytest.mark.parametrize("table", UNDER_TENANT)
def test_without_its_tenant_a_connection_sees_nothing(bank: Bank, decided: dict, table: str) -> None:
    with psycopg.connect(bank.database.app_url) as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    with tenant_transaction(bank.database, "other") as connection:
        foreign = f"SELECT count(*) FROM {table} WHERE tenant_id <> 'other'"
        assert connection.execute(foreign).fetchone() == (0,)
        connection.execute("SET LOCAL row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(f"SELECT count(*) FROM {table}")


@pytest.mark.parametrize(
    "table", ["tenant", "actor", "token", "subject", "subject_counter", "alembic_version"]
)
def test_what_has_no_tenant_is_closed_to_the_application(bank: Bank, table: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        tenant_transaction(bank.database, "city") as connection,
    ):
        connection.execute(f"SELECT * FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO budget VALUES ('city', 'x', 'y', 1)",
        "INSERT INTO audit_log (tenant_id, at, action, object) VALUES ('city', 1, 'a', 'b')",
        "INSERT INTO access_log VALUES ('city', DEFAULT, 1, 'a', 'b', '{}', '{}', '{}', '{}', '{}', NULL)",
        "INSERT INTO artifact VALUES ('city', encode(sha256('x'), 'hex'), 'scale', 'x', '', gen_random_uuid(), 1)",
    ],
)
def test_a_row_cannot_be_written_for_another_tenant(bank: Bank, statement: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
        tenant_transaction(bank.database, "other") as connection,
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent SET valid_to = valid_to + 1",
        "UPDATE consent SET categories = '{bank}'",
        "UPDATE review_case SET system_outcome = 'approve'",
        "UPDATE decision_link SET parent_id = decision_id",
        "DELETE FROM review_case",
        "UPDATE alert SET subject_id = 1",
        "UPDATE alert SET owner = 'nobody'",
        "DELETE FROM alert_point",
        "UPDATE activation SET activated_by = gen_random_uuid()",
        "SET ROLE postgres",
        "ALTER TABLE decision DISABLE TRIGGER append_only",
        "CREATE TABLE aside (x int)",
    ],
)
def test_the_application_may_change_only_what_its_use_cases_change(bank: Bank, statement: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        tenant_transaction(bank.database, "city") as connection,
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/decisions/{decision}"), ("GET", "/v1/decisions/{decision}/explanation"),
     ("GET", "/v1/decisions/{decision}/receipt"), ("GET", "/v1/decisions/{decision}/notice"),
     ("POST", "/v1/decisions/{decision}/human-review"), ("GET", "/v1/consents/{consent}"), ("DELETE", "/v1/consents/{consent}")],
)  # fmt: skip
def test_another_tenants_ids_are_unknown_ids(client: Client, decided: dict, method: str, path: str) -> None:
    stranger = client.as_("stranger")
    theirs = stranger.ask(method, path.format(**decided))
    nobodys = stranger.ask(method, path.format(decision=uuid4(), consent=uuid4()))
    assert problem(theirs, 404) == problem(nobodys, 404)
    assert client.ask("GET", f"/v1/consents/{decided['consent']}").json()["live"] is True


def test_another_tenants_consent_opens_nothing(client: Client, decided: dict) -> None:
    stranger = client.as_("stranger")
    problem(stranger.decide(GOOD, decided["consent"]), 403, "consent_missing")
    body = {"id_number": GOOD, "consent_id": decided["consent"]}
    problem(stranger.ask("POST", "/v1/prefill", json=body), 403, "consent_missing")


def test_a_key_of_another_tenant_is_another_key(client: Client, decided: dict) -> None:
    answer = client.decide(GOOD, decided["consent"], key="shared")
    assert answer.status_code == 201
    problem(client.as_("stranger").decide(GOOD, decided["consent"], key="shared"), 403, "consent_missing")


def test_the_matrix_names_every_route(client: Client) -> None:
    paths = client.http.get("/openapi.json").json()["paths"]
    there = {(m.upper(), path) for path, methods in paths.items() if path.startswith("/v1") for m in methods}
    named = {(method, described(path)) for method, path in ROUTES}
    assert there == named


@pytest.mark.parametrize(("route", "role"), list(product(ROUTES, Role)))
def test_a_role_does_what_it_is_granted_and_nothing_else(
    client: Client, decided: dict, route: tuple[str, str], role: Role
) -> None:
    method, path = route
    more: dict[str, Any] = {}
    if path == "/v1/decisions":
        more = {"json": application(GOOD, decided["consent"]), "headers": {"Idempotency-Key": str(uuid4())}}
    if path == "/v1/prefill":
        more = {"json": {"id_number": GOOD, "consent_id": decided["consent"]}}
    if path == "/v1/consents":
        more = {"json": {
            "id_number": LATE, "categories": ["bank"], "purpose": "credit_assessment", "recipient": "city",
            "form": "paper", "valid_from": "2025-01-01", "valid_to": "2026-01-01",
        }}  # fmt: skip
    if route in NOBODYS:
        more = {"json": NOBODYS[route], "headers": {"Idempotency-Key": str(uuid4())}}
    if path == "/v1/loans":
        more = {
            "json": {"id_number": GOOD, "granted_at": "2024-11-01", "limit_fen": 900}, "headers": {"Idempotency-Key": str(uuid4())},
        }  # fmt: skip
    if path == "/v1/webhooks":
        more = {"json": {"url": f"https://{role.value.replace('_', '-')}.example/told"}}
    if path == "/v1/alerts:bulk":
        listed = [{"alert_id": str(uuid4()), "version": 1}]
        note = {"kind": "note", "reason": "seen"}
        more = {"json": {"alerts": listed, "action": note}, "headers": {"Idempotency-Key": str(uuid4())}}
    if path == "/v1/approvals/stop":
        more = {"json": {"product": "consumer", "reason": "tried"}}
    spare = client.consent_id(LATE, categories=["bank"]) if "{spare}" in path else ""
    more["params"] = QUERIES.get(route)
    got = client.as_(role.value).ask(method, path.format(**decided, **nobodys(), spare=spare), **more)
    if ROUTES[route] in GRANTED[role]:
        assert got.status_code in ({404} if route in NOBODYS else {200, 201}), got.text
    else:
        assert "roles" in problem(got, 403, "not_permitted")["remedy"]


def test_no_role_may_do_everything_and_somebody_may_do_each_thing() -> None:
    assert all(granted < frozenset(Permission) for granted in GRANTED.values())
    assert frozenset().union(*GRANTED.values()) == frozenset(Permission)
    assert not any({Permission.DECIDE, Permission.APPROVE} <= granted for granted in GRANTED.values())


def test_an_authority_is_for_one_permission(bank: Bank) -> None:
    authority = bank.authority("auditor", Permission.REPLAY)
    assert authority.holds(Permission.REPLAY) is authority
    with pytest.raises(NotPermitted):
        authority.holds(Permission.READ_RECEIPTS)


async def _actor(bank: Bank, token: str, at: int) -> UUID:
    pool = await asyncpg.create_pool(bank.database.app_url, min_size=1, max_size=1)
    async with pool:
        return (await Doorkeeper(pool, lambda: at).actor(f"Bearer {token}")).actor_id


async def test_a_token_expires_to_the_microsecond_for_requests_and_commands(bank: Bank) -> None:
    token = create_token(bank.database, "city", "visitor", [Role.AUDITOR], NOW, expires_at=NOW + 10)
    before = actor_of(bank.database, token, NOW + 9)
    assert await _actor(bank, token, NOW + 9) == before.actor_id
    with pytest.raises(NobodyKnown):
        actor_of(bank.database, token, NOW + 10)
    with pytest.raises(NobodyKnown):
        await _actor(bank, token, NOW + 10)


def test_a_revoked_token_opens_nothing_and_the_others_still_do(bank: Bank, decided: dict) -> None:
    bank.tokens["leaver"] = create_token(bank.database, "city", "leaver", [Role.AUDITOR], bank.clock())
    second = create_token(bank.database, "city", "leaver", [Role.AUDITOR], bank.clock())
    path = f"/v1/decisions/{decided['decision']}"
    with asking(bank, role="leaver") as leaver:
        assert leaver.ask("GET", path).status_code == 200
    assert revoke_tokens(bank.database, "city", "leaver", bank.clock()) == 2
    with asking(bank, role="leaver") as leaver:
        problem(leaver.ask("GET", path), 401, "nobody_known")
        assert leaver.as_("auditor").ask("GET", path).status_code == 200
    with pytest.raises(NobodyKnown):
        actor_of(bank.database, second, bank.clock())
    assert revoke_tokens(bank.database, "city", "leaver", bank.clock()) == 0


def test_a_token_is_remembered_for_seconds_only(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from serving.access import bearer

    token = create_token(bank.database, "city", "short", [Role.AUDITOR], bank.clock())
    moment = 100.0
    monkeypatch.setattr(bearer, "monotonic", lambda: moment)

    async def story() -> None:
        nonlocal moment
        async with asyncpg.create_pool(bank.database.app_url, min_size=1, max_size=1) as pool:
            doorkeeper = Doorkeeper(pool, bank.clock)
            await doorkeeper.actor(f"Bearer {token}")
            revoke_tokens(bank.database, "city", "short", bank.clock())
            moment += 4.9
            await doorkeeper.actor(f"Bearer {token}")
            moment += 0.2
            with pytest.raises(NobodyKnown):
                await doorkeeper.actor(f"Bearer {token}")

    asyncio.run(story())


def test_an_actor_keeps_its_roles(bank: Bank) -> None:
    with pytest.raises(RolesDiffer, match="auditor"):
        create_token(bank.database, "city", "auditor", [Role.ADMINISTRATOR], bank.clock())
    with pytest.raises(UnknownActor):
        revoke_tokens(bank.database, "city", "nobody", bank.clock())


def test_a_token_is_stored_as_its_hash_only(bank: Bank) -> None:
    token = bank.tokens["auditor"]
    with owner_transaction(bank.database) as owner:
        rows = owner.execute("SELECT t::text FROM token t").fetchall()
    assert rows
    assert all(token not in text and token.encode().hex() not in text for (text,) in rows)


def test_ids_grow_with_time() -> None:
    made = [new_id() for _ in range(100)]
    assert made == sorted(made)
    assert {each.version for each in made} == {7}
