"""A broken guardrail stops the challenger's arm by itself, once, with its reason; a person lets it go on."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from serving.access.model import NotPermitted, Permission
from serving.decisions.arms import ARM_KEY, in_challenge
from serving.decisions.replay import ReplayStatus, replay
from serving.experiments.guarding import guard
from serving.settings import Settings
from serving.stops import operations as stops
from serving.stops.model import Scope, StopKind
from serving.store.keys import KeyRing
from serving.store.session import owner_transaction
from serving.work.kinds import KINDS
from serving.work.worker import Worker
from tests.serving.decisions.test_arms import HALF, RAILS, experiment, use
from tests.serving.experiments.test_show import as_role
from tests.serving.feeding import subject_of
from tests.serving.world import GOOD, LATE, Bank, Client

MANY = 10


def split(bank: Bank) -> str:
    """The id of an experiment that has LATE with the challenger and GOOD with the champion."""
    key = KeyRing.open(bank.settings.key_file).derived(ARM_KEY)
    names = (f"e{k}" for k in range(1000))
    return next(
        name
        for name in names
        if in_challenge(key, name, subject_of(bank, LATE), HALF)
        and not in_challenge(key, name, subject_of(bank, GOOD), HALF)
    )


@pytest.fixture
def running(client: Client, bank: Bank) -> Iterator[str]:
    """An experiment whose challenger approves nobody, after enough decisions to tell."""
    name = split(bank)
    use(bank, experiment(id=name, guardrails=RAILS | {"min_outcomes": MANY}))
    good, late = client.consent_id(GOOD), client.consent_id(LATE)
    for _ in range(MANY):
        client.decide(GOOD, good)
        client.decide(LATE, late)
    yield name
    with owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM approval_stop")


@pytest.fixture
def officer(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of somebody who may stop."""
    return as_role(bank, monkeypatch, "risk_officer")


def arm(client: Client, number: str) -> tuple[str | None, str]:
    """The arm and the id of a new decision."""
    made = client.decide(number, client.consent_id(number)).json()
    told = made.get("experiment")
    return (None if told is None else told["arm"]), made["decision_id"]


def test_a_broken_guardrail_stops_the_arm_until_a_person_lets_it_go_on(
    client: Client, bank: Bank, running: str, officer: Settings
) -> None:
    (done,) = guard(officer)
    assert (done.experiment, done.stopped) == (running, True)
    assert "approval rate lost 1.000, bound 0.03" in done.reason
    (stop,) = stops.some(officer, ended=False)
    assert (stop.kind, stop.name, stop.reason) == (StopKind.ARM, running, done.reason)
    (again,) = guard(officer)
    assert (again.stopped, again.reason) == (False, done.reason)
    taken, name = arm(client, LATE)
    assert taken is None, "the policy's own model decides"
    assert arm(client, GOOD)[0] == "champion"
    auditor = bank.authority("auditor", Permission.REPLAY)
    (found,) = replay(bank.settings, bank.database, auditor, UUID(name))
    assert found.status is ReplayStatus.SAME
    stops.resume(officer, Scope(StopKind.ARM, running), "a feed was wrong")
    assert arm(client, LATE)[0] == "challenger"
    assert not any(each.stopped or each.reason for each in guard(officer)), "what was before counts no more"


def test_the_worker_stops_it_too(bank: Bank, running: str, officer: Settings) -> None:
    kinds = [kind for kind in KINDS if kind.name == "guard"]
    (job,) = Worker(officer, bank.database, kinds, bank.clock).drain()
    assert job.result == {"experiments": 1, "stopped": [running]}


def test_an_auditor_may_look_and_not_stop(bank: Bank, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert running
    with pytest.raises(NotPermitted):
        guard(as_role(bank, monkeypatch, "auditor"))
