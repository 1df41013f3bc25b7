"""Two people for everything that decides, held by the code and again by the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from features.canonical import digest
from features.errors import YidaiError
from serving.access.model import Authority, Permission, Role
from serving.access.repository import actor_of, create_token
from serving.registry.model import Kind, Verdict
from serving.registry.repository import ChangedArtifact, UnknownArtifact, history
from serving.registry.service import (
    ClockBehind,
    OwnApproval,
    VerdictStands,
    WrongSlot,
    activate,
    active_at,
    approve,
    submit,
)
from serving.store.session import RefusedByStore, owner_transaction, tenant_transaction
from tests.serving.world import NOW, Bank, scorecard

_shift = iter(range(1, 1_000))


def fresh(model: str = "rating") -> bytes:
    """A scorecard that the registry has not seen."""
    return scorecard(model, next(_shift) / 1_000)


def submitted(bank: Bank, data: bytes | None = None, kind: Kind = Kind.BUNDLE, role: str = "analyst") -> str:
    """A new version by that person."""
    author = bank.authority(role, Permission.SUBMIT)
    return submit(bank.database, author, kind, fresh() if data is None else data, bank.clock())


def officer(bank: Bank, permission: Permission) -> Authority:
    """The second person."""
    return bank.authority("risk_officer", permission)


def say(bank: Bank, name: str, verdict: Verdict = Verdict.APPROVED) -> None:
    """What the risk officer says."""
    approve(bank.database, officer(bank, Permission.APPROVE), name, bank.clock(), verdict=verdict)


def put(bank: Bank, slot: str, name: str, at: int | None = None) -> None:
    """Activate as the risk officer."""
    now = bank.clock() if at is None else at
    activate(bank.database, officer(bank, Permission.ACTIVATE), slot, name, now)


def in_force(bank: Bank, at: int | None = None) -> dict[str, str]:
    """Digest by slot."""
    reader = bank.authority("auditor", Permission.READ_REGISTRY)
    return active_at(bank.database, reader, bank.clock() if at is None else at)


def test_the_author_may_not_approve_even_with_the_right_role(bank: Bank) -> None:
    name = submitted(bank, role="risk_officer")
    with pytest.raises(OwnApproval):
        say(bank, name)
    with pytest.raises(RefusedByStore, match="no second person"):
        put(bank, "bundle.rating", name)


def test_submitting_somebody_elses_bytes_does_not_make_one_their_author(bank: Bank) -> None:
    data = fresh()
    assert submitted(bank, data) == submitted(bank, data, role="risk_officer")
    say(bank, digest(data))


def test_the_database_holds_the_rule_against_raw_statements(bank: Bank) -> None:
    name = submitted(bank)
    author = bank.authority("analyst", Permission.SUBMIT).actor.actor_id
    approval = "INSERT INTO approval VALUES ('city', %s, %s, 1, 'approved', '')"
    with pytest.raises(RefusedByStore, match="author"), tenant_transaction(bank.database, "city") as raw:
        raw.execute(approval, (name, author))
    activation = "INSERT INTO activation VALUES ('city', 'bundle.raw', %s, 1, NULL, %s)"
    with pytest.raises(RefusedByStore, match="no second"), tenant_transaction(bank.database, "city") as raw:
        raw.execute(activation, (name, author))


@pytest.mark.parametrize("table", ["artifact", "approval", "decision", "audit_log"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])  # fmt: skip
def test_what_is_written_once_is_not_changed_by_anybody(bank: Bank, table: str, statement: str) -> None:
    with pytest.raises(psycopg.Error, match="append-only"), owner_transaction(bank.database) as owner:
        owner.execute(statement.format(table))
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        tenant_transaction(bank.database, "city") as app,
    ):
        app.execute(statement.format(table))


@pytest.mark.parametrize(
    "change", ["digest = repeat('0', 64)", "active_from = 1", "active_to = NULL", "slot = 'policy2'"]
)
def test_a_past_activation_can_only_be_ended_once(bank: Bank, change: str) -> None:
    bank.approved("bundle.rating", Kind.BUNDLE, fresh())
    where = "WHERE slot = 'bundle.rating' AND active_to IS NOT NULL"
    with pytest.raises(psycopg.Error, match="only be ended"), owner_transaction(bank.database) as owner:
        owner.execute(f"UPDATE activation SET {change} {where}")


def test_a_refused_version_is_never_activated_even_if_somebody_else_approved(bank: Bank) -> None:
    name = submitted(bank)
    say(bank, name, Verdict.REFUSED)
    other = create_token(bank.database, "city", "second officer", [Role.RISK_OFFICER], bank.clock())
    second = actor_of(bank.database, other, bank.clock()).allowed(Permission.APPROVE)
    approve(bank.database, second, name, bank.clock())
    with pytest.raises(RefusedByStore) as refusal:
        put(bank, "bundle.rating", name)
    assert refusal.value.code == "not_approved"


def test_a_verdict_stands(bank: Bank) -> None:
    name = submitted(bank)
    say(bank, name)
    say(bank, name)
    with pytest.raises(VerdictStands, match="approved this version before"):
        say(bank, name, Verdict.REFUSED)


def test_what_was_active_at_a_moment_is_a_query(bank: Bank) -> None:
    moments = {}
    for _ in range(3):
        name = bank.approved("bundle.rating", Kind.BUNDLE, fresh())
        moments[bank.clock.now] = name
    assert [in_force(bank, at)["bundle.rating"] for at in moments] == list(moments.values())
    edge = list(moments)[1]
    assert in_force(bank, edge - 1)["bundle.rating"] == next(iter(moments.values()))
    assert in_force(bank, NOW - 1) == {}


def test_rolling_back_is_activating_the_older_version_again(bank: Bank) -> None:
    first = bank.approved("bundle.rating", Kind.BUNDLE, fresh())
    second = bank.approved("bundle.rating", Kind.BUNDLE, fresh())
    between = bank.clock()
    put(bank, "bundle.rating", first)
    assert in_force(bank)["bundle.rating"] == first
    assert in_force(bank, between)["bundle.rating"] == second
    with tenant_transaction(bank.database, "city") as connection:
        held = [row["digest"] for row in history(connection) if row["slot"] == "bundle.rating"]
    assert held[-3:] == [first, second, first]


def test_activating_what_is_active_changes_nothing(bank: Bank) -> None:
    name = bank.approved("bundle.rating", Kind.BUNDLE, fresh())
    put(bank, "bundle.rating", name[:12])
    with tenant_transaction(bank.database, "city") as connection:
        assert [row["digest"] for row in history(connection)].count(name) == 1


def test_a_clock_that_stepped_back_is_told_and_changes_nothing(bank: Bank) -> None:
    current = bank.approved("bundle.rating", Kind.BUNDLE, fresh())
    name = submitted(bank)
    say(bank, name)
    with pytest.raises(ClockBehind, match="not in the past"):
        put(bank, "bundle.rating", name, at=NOW)
    assert in_force(bank)["bundle.rating"] == current


def test_simultaneous_activations_leave_one_in_force_and_a_whole_history(bank: Bank) -> None:
    names = [submitted(bank, fresh("busy")) for _ in range(6)]
    for name in names:
        say(bank, name)

    def one(name: str) -> bool:
        try:
            put(bank, "bundle.busy", name)
        except ClockBehind:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(one, names))
    assert any(done)
    with tenant_transaction(bank.database, "city") as connection:
        rows = [row for row in history(connection) if row["slot"] == "bundle.busy"]
    assert len(rows) == sum(done)
    ends = [row["active_to"] for row in rows]
    assert ends == [*(row["active_from"] for row in rows[1:]), None]


def test_a_slot_takes_only_its_kind_and_its_model(bank: Bank) -> None:
    name = submitted(bank)
    say(bank, name)
    for slot in ("policy", "bundle", "bundle.", "bundle.Risk", "bundle.risk", "bundle.rating\n", "elsewhere"):
        with pytest.raises(WrongSlot):
            put(bank, slot, name)


@pytest.mark.parametrize("name", ["0" * 64, "", "abc", "%" * 8, "_" * 64, "x' OR 1=1 --"])
def test_an_unknown_or_too_short_name_finds_nothing(bank: Bank, name: str) -> None:
    with pytest.raises(UnknownArtifact):
        say(bank, name)


def test_a_changed_byte_is_found(bank: Bank) -> None:
    name = submitted(bank)
    with owner_transaction(bank.database) as owner:
        owner.execute("ALTER TABLE artifact DISABLE TRIGGER append_only")
        owner.execute("ALTER TABLE artifact DROP CONSTRAINT artifact_check")
        owner.execute("UPDATE artifact SET bytes = set_byte(bytes, 5, 88) WHERE digest = %s", (name,))
        owner.execute("ALTER TABLE artifact ENABLE TRIGGER append_only")
    with pytest.raises(ChangedArtifact):
        say(bank, name)


def test_another_tenant_reaches_nothing(bank: Bank) -> None:
    name = submitted(bank)
    stranger = bank.authority("stranger", Permission.APPROVE)
    with pytest.raises(UnknownArtifact):
        approve(bank.database, stranger, name, bank.clock())
    assert active_at(bank.database, bank.authority("stranger", Permission.READ_REGISTRY), bank.clock()) == {}


def test_an_authority_for_something_else_opens_nothing(bank: Bank) -> None:
    asker = officer(bank, Permission.READ_REGISTRY)
    name = submitted(bank)
    for attempt in (
        lambda: submit(bank.database, asker, Kind.BUNDLE, fresh(), bank.clock()),
        lambda: approve(bank.database, asker, name, bank.clock()),
        lambda: activate(bank.database, asker, "bundle.risk", name, bank.clock()),
    ):
        with pytest.raises(YidaiError) as refusal:
            attempt()
        assert refusal.value.status == 403


def test_every_deed_is_in_the_audit_log_with_its_actor(bank: Bank) -> None:
    name = bank.approved("bundle.rating", Kind.BUNDLE, fresh())
    with tenant_transaction(bank.database, "city") as connection:
        statement = "SELECT action, actor_id FROM audit_log WHERE object = %s ORDER BY entry"
        rows = connection.execute(statement, (name,)).fetchall()
    assert [action for action, _ in rows] == ["artifact.submitted", "artifact.approved", "artifact.activated"]
    assert rows[0][1] != rows[1][1] == rows[2][1]
