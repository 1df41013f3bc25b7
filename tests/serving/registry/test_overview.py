"""What `yidai models list` is told: each version, who said what of it, and where it is in force."""

from __future__ import annotations

import pytest

from serving.access.model import NotPermitted, Permission
from serving.registry.model import Kind, Verdict
from serving.registry.overview import overview
from serving.registry.service import active_at, approve, submit
from tests.serving.world import NOW, Bank, scorecard


def test_each_version_names_author_verdicts_and_slots_of_a_moment(bank: Bank) -> None:
    reader = bank.authority("auditor", Permission.READ_REGISTRY)
    analyst = bank.authority("analyst", Permission.SUBMIT)
    waiting = submit(
        bank.database, analyst, Kind.BUNDLE, scorecard("risk", 0.5), bank.clock(), note="challenger"
    )
    refused = submit(bank.database, analyst, Kind.BUNDLE, scorecard("risk", 0.6), bank.clock())
    officer = bank.authority("risk_officer", Permission.APPROVE)
    approve(bank.database, officer, refused, bank.clock(), verdict=Verdict.REFUSED, reason="drifts")
    rows = {row.digest: row for row in overview(bank.database, reader, bank.clock())}
    assert rows[waiting].note == "challenger"
    assert (rows[waiting].author, rows[waiting].approvals, rows[waiting].active_slots) == ("analyst", (), ())
    assert rows[refused].approvals == (("risk_officer", "refused"),)
    now = active_at(bank.database, reader, bank.clock())
    assert {slot: d for d, row in rows.items() for slot in row.active_slots} == now
    assert rows[now["policy"]].approvals == (("risk_officer", "approved"),)
    assert {row.kind for row in rows.values()} == {Kind.POLICY, Kind.DEFINITIONS, Kind.BUNDLE}


def test_before_anything_was_activated_nothing_is_in_force(bank: Bank) -> None:
    reader = bank.authority("auditor", Permission.READ_REGISTRY)
    assert all(row.active_slots == () for row in overview(bank.database, reader, NOW - 1))


def test_another_tenant_sees_none_of_it(bank: Bank) -> None:
    stranger = bank.authority("stranger", Permission.READ_REGISTRY)
    assert overview(bank.database, stranger, bank.clock()) == []


def test_it_takes_the_right_to_read_the_registry(bank: Bank) -> None:
    with pytest.raises(NotPermitted, match="analyst may not read registry"):
        overview(bank.database, bank.authority("analyst", Permission.SUBMIT), bank.clock())
