"""Sealing misses no receipt and doubles none: beside writers, between sealers, and killed before any of its steps."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pytest

from serving.access.repository import create_tenant
from serving.log import repository
from serving.log.checkpoint import NoCheckpoint, read_checkpoint
from serving.store.engine import Database
from serving.store.keys import BrokenKeyFile
from serving.store.migrate import migrate
from serving.store.session import owner_transaction, tenant_transaction
from serving.work import kinds
from serving.work.model import JobKind, JobState
from serving.work.worker import Worker
from tests.serving.conftest import clone
from tests.serving.log.ledger import NOW, Ledger, new_ledger
from tests.serving.log.outsider import opened
from tests.serving.store.test_rights_migration import down_to


@pytest.fixture(scope="module")
def database(store) -> Database:
    return store[1]


@pytest.fixture
def ledger(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
    """Each test's own tenant."""
    tenant = f"t{abs(hash(request.node.name)) % 10**9}"
    return new_ledger(database, tenant, tmp_path)


def whole(ledger: Ledger, receipts: int) -> None:
    """All sealed, each once, and nothing to find."""
    found = ledger.verify()
    assert found.findings == ()
    assert (found.size, found.waiting) == (receipts, 0)
    with tenant_transaction(ledger.database, ledger.tenant) as connection:
        row = connection.execute("SELECT count(DISTINCT decision_id) FROM log_leaf").fetchone()
    assert row == (receipts,)


def test_nothing_waits_nothing_is_signed(ledger: Ledger) -> None:
    assert ledger.seal() == 0
    assert ledger.verify().checkpoints == 0
    assert not ledger.verify().findings
    ledger.decides(3)
    assert (ledger.seal(), ledger.seal()) == (3, 0)
    assert ledger.verify().checkpoints == 1


def test_what_commits_late_is_sealed_late(ledger: Ledger) -> None:
    """Its id and its moment lie before those that were sealed meanwhile."""
    with psycopg.connect(ledger.database.admin_url) as slow:
        ledger.insert(slow, 2)
        ledger.decides(3)
        assert ledger.seal() == 3
    assert ledger.verify().waiting == 2
    assert ledger.seal() == 2
    whole(ledger, 5)


def test_what_is_rolled_back_leaves_no_mark(ledger: Ledger) -> None:
    with suppress(ZeroDivisionError), owner_transaction(ledger.database) as owner:
        ledger.insert(owner, 2)
        raise ZeroDivisionError
    assert ledger.seal() == 0
    whole(ledger, 0)


def test_writers_and_sealers_beside_each_other(ledger: Ledger) -> None:
    writing, errors = threading.Event(), []
    lock = threading.Lock()

    def write() -> None:
        for _ in range(15):
            with owner_transaction(ledger.database) as owner, lock:
                ledger.insert(owner, 3)

    def seal() -> None:
        try:
            while not writing.is_set():
                ledger.seal(7)
        except Exception as error:  # noqa: BLE001  told by the test
            errors.append(error)

    writers = [threading.Thread(target=write) for _ in range(4)]
    sealers = [threading.Thread(target=seal) for _ in range(3)]
    for thread in (*sealers, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    writing.set()
    for thread in sealers:
        thread.join(60)
    assert errors == []
    ledger.seal()
    whole(ledger, 180)
    assert ledger.verify().checkpoints > 3


def killed_before(step: int, work: object) -> bool:
    """Do it in a process that dies before that statement or commit; whether it died."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status in {0, signal.SIGKILL}, status
        return status != 0
    left = step

    def counted(name: str) -> None:
        real = getattr(psycopg.Connection, name)

        def taken(*given, **named):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        setattr(psycopg.Connection, name, taken)

    try:
        counted("execute")
        counted("commit")
        work()
    except BaseException:  # noqa: BLE001  the parent asks for the code only
        os._exit(1)
    os._exit(0)


def once_free(work: Callable[[], set[JobState]]) -> set[JobState]:
    """What is done as soon as the server has noticed who died, and the job is nobody's again."""
    for _ in range(100):
        if done := work():
            return done
        time.sleep(0.05)
    return set()


def test_a_worker_that_is_killed_before_any_step_leaves_all_to_the_next(server, tmp_path: Path) -> None:
    settings, database = clone(server, tmp_path)
    ledger = new_ledger(database, "kill", tmp_path)
    settings = replace(settings, log_key_file=ledger.key, log_origin="kill", tenant="kill")
    moments = count(NOW, 20_000_000)

    def work() -> set[JobState]:
        """What is due at another moment."""
        moment = next(moments)
        worker = Worker(settings, database, (JobKind("seal", kinds.seal, every=10),), lambda: moment)
        return {job.state for job in worker.drain()}

    step = 1
    while killed_before(step, work):
        assert once_free(work) == {JobState.DONE}
        ledger.decides(2)
        step += 1
    work()
    whole(ledger, 2 * (step - 1))
    assert step > 15
    assert ledger.verify().checkpoints == step - 1, "each batch was sealed once"


def test_a_new_key_signs_at_once_and_old_checkpoints_verify(ledger: Ledger) -> None:
    ledger.decides(2)
    ledger.seal()
    ledger.key.rename(ledger.key.with_suffix(".old"))
    assert ledger.seal() == 0
    ledger.decides(1)
    ledger.seal()
    whole(ledger, 3)
    with tenant_transaction(ledger.database, ledger.tenant) as connection:
        made = repository.checkpoints(connection)
        old, new = (key.public for _, key, _ in repository.keys(connection))
    assert [one.size for one in made] == [2, 2, 3]
    assert opened(made[0].note, old)[1:] == opened(made[1].note, new)[1:] == (2, made[0].root)
    assert opened(made[2].note, new)[1] == 3
    with pytest.raises(ValueError, match="not signed"):
        opened(made[0].note, new)


def test_the_signing_key_is_private_and_told_nowhere(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.decides(1)
    ledger.seal()
    secret = ledger.key.read_text().strip()
    assert ledger.key.stat().st_mode & 0o777 == 0o600
    assert secret not in caplog.text
    with owner_transaction(ledger.database) as owner:
        for table in ("log_key", "log_checkpoint"):
            assert secret not in str(owner.execute(f"SELECT * FROM {table}").fetchall())
    ledger.key.write_text("not a key")
    with pytest.raises(BrokenKeyFile, match=r"\.key"):
        ledger.seal()


def test_a_note_is_read_as_it_is_written(ledger: Ledger) -> None:
    ledger.decides(1)
    ledger.seal()
    with tenant_transaction(ledger.database, ledger.tenant) as connection:
        head = repository.head(connection)
    assert head is not None
    assert replace(read_checkpoint(head.note, "note"), sealed_at=head.sealed_at) == head
    witnessed = head.note + "\u2014 witness.example " + "A" * 92 + "\n"
    assert read_checkpoint(witnessed, "note").root == head.root


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n\n\u2014 a b\n", "a\n1\nAAAA\n\n\u2014 a AAAA\n", "a\n-1\n{root}\n\n\u2014 a AAAA\n", "a\n01\n{root}\n\n\u2014 a AAAA\n",
     "a\n1\n{root}\nmore\n\n\u2014 a AAAA\n", "a\n1\n{root}\n\n\u2014 b AAAA\n", "a\n1\n{root}\n"],
)  # fmt: skip
def test_what_is_no_note_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(NoCheckpoint, match=r"kept\.txt") as refusal:
        read_checkpoint(text.format(root="A" * 43 + "="), "kept.txt")
    assert refusal.value.remedy


def test_what_was_decided_before_the_log_is_sealed_too(server, tmp_path: Path) -> None:
    _, database = clone(server, tmp_path)
    down_to(database, "0014")
    create_tenant(database, "early", "Early bank", NOW)
    ledger = Ledger(database, "early", tmp_path / "early.key")
    ledger.decides(3)
    migrate(database)
    assert ledger.verify().waiting == 3
    ledger.decides(1)
    assert ledger.seal() == 4
    whole(ledger, 4)
    down_to(database, "0014")
    with owner_transaction(database) as owner:
        assert owner.execute(
            "SELECT to_regclass('log_leaf'), to_regclass('receipt_unsealed')"
        ).fetchone() == (None, None)
