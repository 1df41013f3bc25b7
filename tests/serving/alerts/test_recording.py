"""Runs of the watch on a real database: raised once, merged by borrower, quiet again, and never closed by themselves."""

from __future__ import annotations

import threading
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.calendar import DAY, instant
from serving.alerts.machine import Observation, standing
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.signals import Level
from tests.serving.alerts.desk import forget_alerts, kinds, name_of, points_of, raised, sighting, stored
from tests.serving.world import NOW, Bank

ENDS = ("2024-09-30T20:00", "2024-10-31T20:00", "2024-11-30T20:00", "2024-12-31T20:00")


@pytest.fixture(autouse=True)
def nothing_raised(bank: Bank) -> None:
    """No alert is left of another test."""
    forget_alerts(bank)


def test_every_alert_has_an_owner_a_next_step_a_due_day_and_what_is_expected(bank: Bank) -> None:
    raised(bank, [sighting(level=level, loan=level.value) for level in Level])
    for (loan, _), row in stored(bank).items():
        assert row.owner == "role:risk_officer"
        assert row.playbook == "income_visit"
        assert row.evidence["expects_en"] == "The cause of the lower income is known and the ability to repay is computed anew."  # fmt: skip
        assert row.expects_by > bank.clock.now
        days = {"red": 1, "orange": 3, "yellow": 14}[loan]  # ten working days from a Thursday
        assert (
            row.due_at - row.due_at % DAY == bank.clock.now + days * DAY - (bank.clock.now + days * DAY) % DAY
        )


def test_alerts_of_one_borrower_are_one_case(bank: Bank) -> None:
    raised(bank, [sighting(), sighting("L2"), sighting(signal="autopay_fail"), sighting("L3", subject=2)])
    cases = {key: row.case_id for key, row in stored(bank).items()}
    assert cases["L1", "ss_stop"] == cases["L2", "ss_stop"] == cases["L1", "autopay_fail"]
    assert cases["L3", "ss_stop"] != cases["L1", "ss_stop"]


def test_what_is_gone_waits_for_a_person_and_comes_back_with_a_hit(bank: Bank) -> None:
    raised(bank, [sighting()], ENDS[0])
    raised(bank, [], ENDS[1])
    assert stored(bank)["L1", "ss_stop"].state == "new"
    raised(bank, [], ENDS[2])
    waits = stored(bank)["L1", "ss_stop"]
    assert (waits.state, waits.quiet, waits.released_at) == ("pending_release", 2, None)
    raised(bank, [], ENDS[3])
    assert stored(bank)["L1", "ss_stop"].state == "pending_release"
    raised(bank, [sighting()], "2025-01-10")
    assert stored(bank)["L1", "ss_stop"].state == "new"
    assert kinds(bank, waits.alert_id) == ["raised", "quiet", "back"]


def test_what_could_not_be_told_is_no_absence_and_other_loans_are_not_looked_at(bank: Bank) -> None:
    raised(bank, [sighting(), sighting("L2")], ENDS[0])
    for end in ENDS[1:3]:
        raised(bank, [], end, absent=lambda loan, _: None if loan == "L1" else 0)
    assert [stored(bank)[loan, "ss_stop"].quiet for loan in ("L1", "L2")] == [0, 2]
    raised(bank, [sighting("L2")], ENDS[3], loans=["L2"])
    assert [stored(bank)[loan, "ss_stop"].quiet for loan in ("L1", "L2")] == [0, 0]
    raised(bank, [], "2025-01-31T20:00", family=lambda signal: signal == "other")
    assert stored(bank)["L1", "ss_stop"].seen_at == instant(ENDS[2])


def test_a_level_that_rises_is_due_anew_and_ends_a_snooze(bank: Bank) -> None:
    raised(bank, [sighting(level=Level.YELLOW)])
    before = stored(bank)["L1", "ss_stop"]
    with tenant_transaction(bank.database, "city") as connection:
        connection.execute("UPDATE alert SET snoozed_until = %s, handled_at = 1, late = 1", (NOW + 90 * DAY,))
    done = raised(bank, [sighting(level=Level.RED)], NOW + DAY)
    after = stored(bank)["L1", "ss_stop"]
    assert (done.worsened, done.reds) == (1, [after.alert_id])
    assert (after.snoozed_until, after.handled_at, after.late) == (None, None, 0)
    assert after.due_at < before.due_at
    assert after.version == before.version + 1
    assert kinds(bank, after.alert_id) == ["raised", "escalated"]


def test_a_released_alert_is_not_raised_by_what_was_seen_before_it(bank: Bank) -> None:
    raised(bank, [sighting()], ENDS[2])
    with tenant_transaction(bank.database, "city") as connection:
        connection.execute("UPDATE alert SET state = 'released', released_at = 1")
    for end in (ENDS[0], ENDS[2]):
        assert raised(bank, [sighting()], end).raised == 0
    assert raised(bank, [sighting()], ENDS[3]).raised == 1
    assert stored(bank)["L1", "ss_stop"].points == 1
    raised(bank, [], ENDS[0])
    with tenant_transaction(bank.database, "city") as connection:
        (points,) = connection.execute("SELECT count(*) FROM alert_point").fetchone()
    assert points == 2, "what is older than an alert is none of its points"


MOMENTS = st.integers(instant("2024-09-01") // DAY, instant("2025-01-05") // DAY).map(lambda day: day * DAY)
RUNS = st.lists(st.tuples(MOMENTS, st.sampled_from([None, 0, 1, 2, 3])), min_size=1, max_size=7)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUNS, st.randoms(use_true_random=False))
def test_the_store_says_what_the_history_says_however_often_runs_come(bank: Bank, runs, chance) -> None:
    """From the first hit on: an absence is of an alert that there is."""
    forget_alerts(bank)
    first = min((run for run in runs if run[1]), default=None)
    after = [run for run in runs if first and run[0] >= first[0]]
    again = after + after[: len(after) // 2]
    chance.shuffle(again)
    for at, rank in [first, *again] if first else []:
        hits = [sighting(level=list(Level)[rank - 1])] if rank else []
        raised(bank, hits, at, absent=lambda _, __, rank=rank: rank)
    expected = standing(points_of(Observation(*run) for run in after))
    row = stored(bank).get(("L1", "ss_stop"))
    assert (row is None) == (expected is None)
    if row is not None and expected is not None:
        told = (row.state, row.level, row.points, row.quiet, row.coverage)
        assert told == (expected.state, expected.level, expected.streak, expected.quiet, expected.coverage)


def test_many_runs_at_once_raise_once(bank: Bank) -> None:
    threads = [
        threading.Thread(target=raised, args=(bank, [sighting(), sighting("L2")]), kwargs={"loans": loans})
        for loans in (["L1", "L2"], None, ["L2", "L1"], ["L1", "L2"], None)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(kinds(bank, row.alert_id) == ["raised"] for row in stored(bank).values())
    assert len(stored(bank)) == 2


def test_the_number_of_statements_does_not_grow_with_the_alerts(bank: Bank) -> None:
    def statements(count: int) -> int:
        before = Counted.sent
        raised(bank, [sighting(f"N{n}", subject=n) for n in range(count)], NOW)
        raised(bank, [sighting(f"N{n}", subject=n, level=Level.RED) for n in range(count)], NOW + 1)
        return Counted.sent - before

    few = statements(2)
    forget_alerts(bank)
    assert statements(200) <= few


class Counted:
    """A count of the statements of this module's connections."""

    sent = 0


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what goes through a connection; nothing is replaced."""
    execute = psycopg.Connection.execute

    def counting(self, *args, **kwargs):
        Counted.sent += 1
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Connection, "execute", counting)


def test_an_event_is_never_changed(bank: Bank) -> None:
    raised(bank, [sighting()])
    with pytest.raises(psycopg.Error), owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM alert_event")
    assert kinds(bank, name_of(bank)) == ["raised"]


def test_another_tenants_alerts_are_its_own(bank: Bank) -> None:
    raised(bank, [sighting()])
    assert raised(bank, [replace(sighting())], tenant="other").raised == 1
    assert len(stored(bank)) == 1
