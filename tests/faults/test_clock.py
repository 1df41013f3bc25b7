"""The clock steps back and forth: nothing is lost or doubled, no id comes twice, work goes on."""

from __future__ import annotations

from features.calendar import DAY, instant
from serving.work.kinds import KINDS
from serving.work.model import JobState
from serving.work.worker import Worker
from tests.faults.proof import all_replays, the_log_verifies
from tests.serving.records.sending import case, sent
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, asking

MINUTE = 60_000_000
STEPS = (0, -5 * MINUTE, DAY, -DAY // 2, -1)
"""Where the clock is put, µs from where it was."""
DONE = {"flush", "seal"}


def test_a_clock_that_steps_back_loses_and_doubles_nothing(bank: Bank) -> None:
    begin = bank.clock.now + 5 * DAY  # what was put in force stays so
    worker = Worker(bank.settings, bank.database, [kind for kind in KINDS if kind.name in DONE], bank.clock)
    answers: dict[str, bytes] = {}
    with asking(bank) as client:
        consents = {number: client.consent_id(number) for number in (GOOD, LATE, MIDDLE)}
        for turn, step in enumerate(STEPS):
            bank.clock.now = begin + step
            for number, consent in consents.items():
                key = f"clock-{turn}-{number[-4:]}"
                got = client.decide(number, consent, key=key)
                assert got.status_code == 201, got.text
                assert begin + step < instant(got.json()["decided_at"]) < begin + step + MINUTE
                answers[key] = got.content
            name = f"clock-{turn}"
            assert sent(client, [case(LATE, name, kind="civil")])["accepted"] == 1
            assert sent(client, [case(LATE, name, kind="civil")])["repeated"] == 1
            ended = list(worker.drain())
            assert {job.state for job in ended} <= {JobState.DONE}, ended
        assert len({client.decide(LATE, consents[LATE]).json()["decision_id"] for _ in range(20)}) == 20
        for key, answer in answers.items():
            number = next(n for n in consents if key.endswith(n[-4:]))
            again = client.decide(number, consents[number], key=key)
            assert (again.status_code, again.content) == (200, answer)
    assert len(set(answers.values())) == len(answers)
    all_replays(bank)
    the_log_verifies(bank)
    bank.clock.now = begin + 4 * DAY
