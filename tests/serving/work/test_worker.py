"""Jobs are done once, tried again when they fail, left to others when a process dies, and listed when they are dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from features.errors import Invalid, Unavailable
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import owner_transaction
from serving.work import repository
from serving.work.model import MOST_ATTEMPTS, JobKind, JobState, QueuedJob, UnknownJob, Work, back_off
from serving.work.worker import SECOND, Worker

START = 1_700_000_000 * SECOND


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def empty(store: tuple[Settings, Database]) -> Iterator[tuple[Settings, Database]]:
    yield store
    with owner_transaction(store[1]) as connection:
        connection.execute("TRUNCATE job, job_attempt")
        connection.execute("DROP TABLE IF EXISTS effect")


def effect(work: Work) -> dict[str, Any]:
    """One row a job, in the job's own transaction."""
    work.connection.execute("INSERT INTO effect VALUES (%s)", (work.payload["number"],))
    return {"number": work.payload["number"]}


def put(database: Database, kind: str, numbers: range, now: int = START) -> None:
    with owner_transaction(database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS effect (number bigint)")
        for number in numbers:
            repository.enqueue(connection, kind, str(number), now, number=number)


def effects(database: Database) -> list[int]:
    with owner_transaction(database) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM effect ORDER BY number").fetchall()]


def listed(database: Database, *states: JobState) -> list[QueuedJob]:
    with owner_transaction(database) as connection:
        return repository.jobs(connection, states or tuple(JobState), 1000)


def refuse(_: Work) -> dict[str, Any]:
    raise Invalid("nobody can do that.", remedy="Do not ask.")


def test_every_job_is_done_once_by_workers_beside_each_other(empty, clock) -> None:
    put(empty[1], "effect", range(60))
    workers = [Worker(*empty, (JobKind("effect", effect),), clock) for _ in range(4)]
    shares: list[int] = []
    threads = [
        threading.Thread(target=lambda w=each: shares.append(len(list(w.drain())))) for each in workers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert effects(empty[1]) == list(range(60))
    assert sum(shares) == 60
    assert {(job.state, job.attempts) for job in listed(empty[1])} == {(JobState.DONE, 1)}


def test_asking_twice_for_a_job_is_asking_once(empty, clock) -> None:
    put(empty[1], "effect", range(3))
    put(empty[1], "effect", range(4))
    assert len(list(Worker(*empty, (JobKind("effect", effect),), clock).drain())) == 4


def test_a_failed_job_waits_longer_each_time_takes_its_effect_back_and_dies_in_the_end(empty, clock) -> None:
    def half(work: Work) -> dict[str, Any]:
        effect(work)
        return refuse(work)

    put(empty[1], "half", range(1))
    worker = Worker(*empty, (JobKind("half", half),), clock)
    waits = []
    for _ in range(MOST_ATTEMPTS - 1):
        (job,) = worker.drain()
        assert job.state is JobState.WAITING
        assert list(worker.drain()) == [], "not before it is due again"
        waits.append(job.due_at - clock.now)
        clock.now = job.due_at
    assert waits == [back_off(n) for n in range(1, MOST_ATTEMPTS)]
    assert waits == sorted(waits)
    (job,) = worker.drain()
    assert (job.state, job.attempts) == (JobState.DEAD, MOST_ATTEMPTS)
    assert effects(empty[1]) == []
    clock.now += 10**15
    assert list(worker.drain()) == []
    (dead,) = listed(empty[1], JobState.DEAD)
    assert dead.error == "nobody can do that. Do not ask."


def test_a_dead_job_can_be_done_after_all_and_no_other(empty, clock) -> None:
    put(empty[1], "effect", range(1))
    (job,) = listed(empty[1])
    with owner_transaction(empty[1]) as connection:
        with pytest.raises(UnknownJob):
            repository.retry(connection, job.job_id, clock.now)
        repository.begin(connection, job.job_id, clock.now)
        repository.die(connection, job.job_id, clock.now, "it was so")
        repository.retry(connection, job.job_id, clock.now)
    (done,) = Worker(*empty, (JobKind("effect", effect),), clock).drain()
    assert (done.state, done.attempts) == (JobState.DONE, 1)
    assert listed(empty[1])[0].error == ""


def test_what_is_busy_is_tried_again_and_never_dies_of_it(empty, clock) -> None:
    def busy(_: Work) -> dict[str, Any]:
        raise Unavailable("not now.")

    put(empty[1], "busy", range(1))
    worker = Worker(*empty, (JobKind("busy", busy),), clock)
    for _ in range(2 * MOST_ATTEMPTS):
        (job,) = worker.drain()
        assert (job.state, job.attempts) == (JobState.WAITING, 1)
        clock.now = job.due_at
    assert [job.attempts for job in listed(empty[1])] == [0]


def test_a_job_in_which_every_process_died_is_dead(empty, clock) -> None:
    put(empty[1], "effect", range(1))
    (job,) = listed(empty[1])
    with owner_transaction(empty[1]) as connection:
        for _ in range(MOST_ATTEMPTS):
            repository.begin(connection, job.job_id, clock.now)
    (dead,) = Worker(*empty, (JobKind("effect", effect),), clock).drain()
    assert (dead.state, effects(empty[1])) == (JobState.DEAD, [])


def test_a_fault_of_ours_is_named_without_what_it_says(empty, clock) -> None:
    def broken(_: Work) -> dict[str, Any]:
        raise ValueError("330106198506120015")

    put(empty[1], "broken", range(1))
    (job,) = Worker(*empty, (JobKind("broken", broken),), clock).drain()
    assert job.error == "ValueError: see the worker's log"


def test_a_periodic_job_comes_once_a_period_and_does_not_pile_up(empty, clock) -> None:
    done: list[int] = []
    kinds = (JobKind("tick", lambda work: done.append(work.now) or {}, every=60),)
    worker = Worker(*empty, kinds, clock)
    for _ in range(3):
        list(worker.drain())
    assert len(done) == 1
    clock.now += 60 * SECOND
    list(worker.drain())
    assert len(done) == 2
    failing = Worker(*empty, (JobKind("tock", refuse, every=60),), clock)
    (first,) = failing.drain()
    clock.now = first.due_at - 1
    for _ in range(5):
        clock.now += 60 * SECOND
        list(failing.drain())
    waiting = [job for job in listed(empty[1], JobState.WAITING) if job.kind == "tock"]
    assert len(waiting) == 1


def test_kinds_that_settings_do_not_want_and_unknown_ones_are_left_alone(empty, clock) -> None:
    put(empty[1], "of a newer version", range(1))
    kinds = (JobKind("unwanted", refuse, every=1, wanted=lambda _: False),)
    assert list(Worker(*empty, kinds, clock).drain()) == []
    assert [job.kind for job in listed(empty[1])] == ["of a newer version"]


def test_a_worker_that_waits_is_woken_and_stops_when_told(empty) -> None:
    stop, woken = threading.Event(), threading.Event()

    def wake(_: Work) -> dict[str, Any]:
        woken.set()
        return {}

    worker = Worker(*empty, (JobKind("wake", wake),))
    thread = threading.Thread(target=worker.run, args=(stop.is_set,))
    thread.start()
    try:
        assert not woken.wait(0.5)
        put(empty[1], "wake", range(1), time.time_ns() // 1_000)
        assert woken.wait(10)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_a_store_that_does_not_answer_is_waited_for(empty) -> None:
    nowhere = replace(empty[1], admin_url="postgresql://nobody@/nothing?host=/nowhere")
    stop = threading.Event()
    thread = threading.Thread(target=Worker(empty[0], nowhere, ()).run, args=(stop.is_set,))
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_the_application_may_ask_for_a_job_and_neither_read_nor_change_one(empty) -> None:
    with psycopg.connect(empty[1].app_url, autocommit=True) as connection:
        repository.enqueue(connection, "effect", "1", START, number=1)
        for statement in ("SELECT * FROM job", "UPDATE job SET state = 'done'", "DELETE FROM job_attempt"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    assert [job.key for job in listed(empty[1])] == ["1"]


def test_only_what_was_done_long_ago_is_forgotten(empty, clock) -> None:
    put(empty[1], "effect", range(2))
    list(Worker(*empty, (JobKind("effect", effect),), clock).drain())
    put(empty[1], "refuse", range(1))
    with owner_transaction(empty[1]) as connection:
        assert repository.tidy(connection, START) == 0
        assert repository.tidy(connection, START + 1) == 2
    assert [job.kind for job in listed(empty[1])] == ["refuse"]
