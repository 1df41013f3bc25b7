"""Owners, playbooks and limits of the monitoring: shipped ones hold until two people put others in force, from a day on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

from features.calendar import DAY, iso
from features.canonical import canonical_bytes
from features.contracts.documents import read_yaml
from features.contracts.model import Text
from features.errors import Integrity, Invalid
from serving.alerts.handling import Due, Playbook, VillageRule
from serving.alerts.overdue import raise_overdue
from serving.alerts.seeing import Seen, record_seen
from serving.clock import wall_clock
from serving.registry import documents
from serving.registry.fitting import UnknownPlaybook
from serving.registry.model import Kind
from serving.store.session import tenant_transaction
from serving.watch.book import Book
from serving.watch.document import SignalsDocument
from serving.watch.evaluate import Hit, Outcome
from serving.watch.signals import SHIPPED, Level
from tests.serving.alerts.desk import raised, sighting, stored
from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.registry.test_registry import put, say, submitted
from tests.serving.world import Bank, Client

WHERE = {Kind.HANDLING: ("alerts", "handling"), Kind.PLAYBOOKS: ("alerts", "playbooks"), Kind.MONITORING: ("models", "limits")}  # fmt: skip


REST = Playbook("rest", (), Text("步骤", "Steps"), Text("话术", "Words"), Text("预期", "Expected"), 0)


def held(bank: Bank, kind: Kind, at: int, tenant: str = "city") -> Any:
    """What holds at a moment."""
    with tenant_transaction(bank.database, tenant) as connection:
        return documents.in_force(connection, kind, at)


def changed(kind: Kind, **fields: Any) -> bytes:
    """The shipped document with other fields."""
    return canonical_bytes(msgspec.structs.replace(documents.shipped(kind), **fields))


@pytest.mark.parametrize("kind", documents.SORTS)
def test_the_shipped_file_passes_its_check_and_goes_through_the_commands_unchanged(
    bank: Bank, kind: Kind, tmp_path: Path
) -> None:
    where, file = WHERE[kind], tmp_path / "mine.yaml"
    assert yidai(bank, "risk_officer", *where, "show", "--out", str(file))[0] == 0
    assert yidai(bank, "risk_officer", *where, "check", str(file))[0] == 0
    assert documents.from_file(kind, file) == canonical_bytes(documents.shipped(kind))
    shown = told(bank, "auditor", *where, "show")
    assert canonical_bytes(shown) == canonical_bytes(documents.shipped(kind))


def test_two_people_put_limits_in_force_from_a_day_on_and_back(bank: Bank, tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(yaml.safe_dump(msgspec.to_builtins(msgspec.structs.replace(documents.shipped(Kind.MONITORING), psi=0.1))))  # fmt: skip
    code, text = yidai(bank, "analyst", "models", "limits", "submit", str(file), "--note", "stricter")
    name = text.split()[1]
    assert (code, f"yidai models limits approve {name[:12]}" in text) == (0, True)
    assert yidai(bank, "analyst", "models", "limits", "approve", name)[0] == 2
    assert "approved by 0" in yidai(bank, "risk_officer", "models", "limits", "activate", name)[1].lower()
    assert yidai(bank, "risk_officer", "models", "limits", "approve", name, "--reason", "seen")[0] == 0
    begin = wall_clock() + 3 * DAY
    assert yidai(bank, "risk_officer", "models", "limits", "activate", name, "--from", iso(begin))[0] == 0
    assert held(bank, Kind.MONITORING, wall_clock()).psi == 0.25
    assert held(bank, Kind.MONITORING, begin + DAY).psi == 0.1
    assert held(bank, Kind.MONITORING, begin + DAY, "other").psi == 0.25
    code, text = yidai(bank, "auditor", "models", "limits", "show")
    assert (code, "as shipped" in text, name[:12] in text) == (0, True, True)
    assert yidai(bank, "risk_officer", "models", "limits", "rollback")[0] == 0
    assert held(bank, Kind.MONITORING, begin + DAY).psi == 0.25


def test_a_version_goes_to_the_slot_of_its_kind_only(bank: Bank) -> None:
    name = submitted(bank, changed(Kind.MONITORING, psi=0.2), Kind.MONITORING)
    say(bank, name)
    code, text = yidai(bank, "risk_officer", "alerts", "handling", "activate", name)
    assert (code, "is a monitoring" in text) == (2, True)
    with pytest.raises(Invalid, match="slot"):
        put(bank, "handling", name)


@pytest.mark.parametrize(("kind", "fields", "place"), [
    (Kind.MONITORING, {"psi": 0.0}, "psi"), (Kind.MONITORING, {"psi": float("inf")}, "psi"), (Kind.MONITORING, {"auc_fall": 1.0}, "auc_fall"),
    (Kind.MONITORING, {"due_days": 0}, "due_days"), (Kind.MONITORING, {"owner": " "}, "owner"), (Kind.MONITORING, {"schema": 2}, "schema"),
    (Kind.MONITORING, {"due_days": 367}, "due_days"), (Kind.MONITORING, {"csi": float("nan")}, "csi"),
    (Kind.HANDLING, {"disposal": Due(days=10**9)}, "disposal"), (Kind.HANDLING, {"disposal": Due(working_days=10**9)}, "disposal"),
    (Kind.HANDLING, {"village_alerts": VillageRule(0)}, "village_alerts"), (Kind.PLAYBOOKS, {"playbooks": (REST,)}, "rest"),
    (Kind.HANDLING, {"owners": ()}, "owners"), (Kind.HANDLING, {"due": {}}, "due.yellow"), (Kind.HANDLING, {"schema": 2}, "schema"),
    (Kind.HANDLING, {"supervisor": "nobody"}, "owners"), (Kind.PLAYBOOKS, {"playbooks": ()}, "playbooks"), (Kind.PLAYBOOKS, {"schema": 2}, "schema"),
])  # fmt: skip
def test_what_would_leave_a_gap_is_refused_with_its_place(
    bank: Bank, kind: Kind, fields: dict[str, Any], place: str, tmp_path: Path
) -> None:
    broken = msgspec.to_builtins(msgspec.structs.replace(documents.shipped(kind), **fields))
    file = tmp_path / "broken.yaml"
    file.write_text(yaml.safe_dump(broken))
    found = yidai(bank, "risk_officer", *WHERE[kind], "check", str(file))
    assert found[0] == 1
    assert place in found[1]
    with pytest.raises((Invalid, Integrity)):
        submitted(bank, msgspec.json.encode(broken, order="sorted"), kind)


def test_who_looks_and_who_escalates_follow_what_is_in_force(bank: Bank) -> None:
    rules, at = documents.shipped(Kind.HANDLING), bank.clock()
    before = seen_owner(bank, "H0", at)
    owners = (msgspec.structs.replace(rules.owners[-1], to="officer:Wang"),)
    bank.approved("handling", Kind.HANDLING, changed(Kind.HANDLING, owners=owners, supervisor="officer:Li"))
    assert (before, seen_owner(bank, "H1", bank.clock())) == ("role:risk_officer", "officer:Wang")
    with tenant_transaction(bank.database, "city") as connection:
        assert raise_overdue(connection, "city", bank.clock() + 400 * DAY) == 2
        told = connection.execute("SELECT DISTINCT detail ->> 'to' FROM alert_event WHERE kind = 'overdue'")
        assert told.fetchall() == [("officer:Li",)]


def seen_owner(bank: Bank, loan: str, at: int) -> str:
    """Whose an alert is that a look raised at a moment."""
    one = np.ones(1, np.int64)
    outcome = Outcome((Hit(0, "ss_stop", Level.ORANGE, "zh", "en", "zh", "en"),), {}, {})
    with tenant_transaction(bank.database, "city") as connection:
        record_seen(
            connection, "city", Seen(Book(one, one, one, one), outcome, (loan,), "", at, at, whole=False)
        )
    return str(stored(bank, "city")[loan, "ss_stop"].owner)


def test_a_playbook_that_was_approved_is_what_an_officer_reads(bank: Bank, client: Client) -> None:
    raised(bank, [sighting("H2")])
    alert = stored(bank, "city")["H2", "ss_stop"]
    officer = client.as_("risk_officer")
    before = officer.ask("GET", f"/v1/alerts/{alert.alert_id}").json()["playbook"]
    books = tuple(
        msgspec.structs.replace(each, within_days=77) for each in documents.shipped(Kind.PLAYBOOKS).playbooks
    )
    bank.approved("playbooks", Kind.PLAYBOOKS, changed(Kind.PLAYBOOKS, playbooks=books))
    after = officer.ask("GET", f"/v1/alerts/{alert.alert_id}").json()["playbook"]
    assert after == before | {"within_days": 77}


def test_playbooks_that_lack_what_the_signals_name_are_refused(bank: Bank) -> None:
    bank.approved("signals", Kind.SIGNALS, canonical_bytes(read_yaml(SHIPPED, SignalsDocument)))
    books = tuple(each for each in documents.shipped(Kind.PLAYBOOKS).playbooks if each.code != "income_visit")
    name = submitted(bank, changed(Kind.PLAYBOOKS, playbooks=books), Kind.PLAYBOOKS)
    say(bank, name)
    with pytest.raises(UnknownPlaybook, match="income_visit"):
        put(bank, "playbooks", name)
