"""Another master key: what was stored opens, what is derived stays, and a run that is killed loses nothing."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from features.contracts.model import SubjectKind
from features.identity.held import HeldRecord
from serving.access import operations as access
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.identity.repository import waiting
from serving.store.engine import Database
from serving.store.keys import BrokenKeyFile, KeyFile, KeyRing, Unreadable
from serving.store.rotation import RotationRuns, hold_keys, rotate
from serving.store.session import owner_transaction
from serving.store.vault import PostgresVault
from tests.serving.world import GOOD, LATE, Bank, asking, number_of

MANY = [number_of(k, "19700101") for k in range(100, 116)]
HELD = [HeldRecord("vehicle", {"value": k}, k, k + 1, k, {"name": f"nobody {k}"}) for k in range(7)]


@pytest.fixture
def own(bank: Bank) -> Bank:
    """The module's bank with a key file of its own, more people, and records that are nobody's yet."""
    path = bank.settings.home / "own.key"
    if not path.exists():
        path.write_bytes(bank.settings.key_file.read_bytes())
    vault = PostgresVault(bank.database, KeyRing.open(path))
    vault.assign(SubjectKind.PERSON, MANY)
    vault.hold(HELD)
    return replace(bank, settings=replace(bank.settings, master_key_file=path))


def wrapped(database: Database) -> list[bytes]:
    """Every wrapped data key that is stored."""
    with owner_transaction(database) as owner:
        statement = "SELECT wrapped_key FROM subject UNION ALL SELECT wrapped_key FROM held_record WHERE wrapped_key IS NOT NULL"
        return [row[0] for row in owner.execute(statement).fetchall()]


def opens_all(bank: Bank, keys: KeyRing) -> None:
    """Numbers, held records and data keys open; the numbers are found under the pseudonyms that they had."""
    vault = PostgresVault(bank.database, keys)
    for number in (*MANY, GOOD, LATE):
        subject = vault.find(SubjectKind.PERSON, number)
        assert subject is not None
        assert vault.number_of(subject) == number
    with owner_transaction(bank.database) as owner:
        assert {each.record.texts["name"] for each in waiting(owner, keys)} == {
            f"nobody {k}" for k in range(7)
        }
    assert all(len(keys.unwrap(each)) == 32 for each in wrapped(bank.database))


def test_afterwards_the_old_file_opens_no_data_key_and_the_new_one_opens_each(
    own: Bank, tmp_path: Path
) -> None:
    path, stale = own.settings.key_file, tmp_path / "stale.key"
    for _ in range(2):  # from the root's own key, and from that of a rotation
        stale.write_bytes(path.read_bytes())
        before = KeyRing.open(path)
        done = rotate(own.database, path, batch=5)
        assert done.wrapped == len(wrapped(own.database)) >= 23
        assert not done.resumed
        opens_all(own, KeyRing.open(path))
        opens_all(own, before)  # a process that was there before goes on
        with pytest.raises(Unreadable):
            KeyRing.open(stale).unwrap(wrapped(own.database)[0])
        assert KeyRing.open(path).derived("pseudonym") == KeyRing.open(stale).derived("pseudonym")
        assert path.stat().st_mode & 0o777 == 0o600


def test_receipts_open_replay_is_equal_and_an_api_that_runs_goes_on_meanwhile(own: Bank) -> None:
    auditor = own.authority("auditor", Permission.REPLAY)
    with asking(own) as client:
        consent = client.consent_id(GOOD)
        decision = client.decide(GOOD, consent, key="before").json()["decision_id"]
        receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{decision}/receipt").content
        digest = client.decide(GOOD, consent, key="before")
        rotate(own.database, own.settings.key_file)
        assert client.as_("auditor").ask("GET", f"/v1/decisions/{decision}/receipt").content == receipt
        assert client.decide(GOOD, consent, key="before").content == digest.content
        assert client.decide(GOOD, consent).status_code == 201
        found = list(replay(own.settings, own.database, auditor, None))
    assert {one.status for one in found} == {ReplayStatus.SAME}
    assert len(found) >= 2


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_run_that_is_killed_loses_nothing_and_the_next_goes_on(own: Bank, steps: int) -> None:
    path = own.settings.key_file
    child = os.fork()
    if child == 0:  # no test code after this: the child ends by its signal
        left = steps

        def step(_: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        rotate(own.database, path, step, batch=4)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    half = KeyRing.open(path)
    assert KeyFile.read(path).following is not None
    opens_all(own, half)
    PostgresVault(own.database, half).assign(SubjectKind.PERSON, [number_of(200 + steps)])
    done = rotate(own.database, path, batch=4)
    assert done.resumed
    assert 0 < done.wrapped < len(wrapped(own.database))
    assert KeyFile.read(path).following is None
    opens_all(own, KeyRing.open(path))


def test_who_is_writing_a_data_key_is_waited_for_and_its_key_is_wrapped_anew(own: Bank) -> None:
    path = own.settings.key_file
    keys, started = KeyRing.open(path), threading.Event()
    rotation = threading.Thread(target=lambda: (started.wait(10), rotate(own.database, path)))
    rotation.start()
    with owner_transaction(own.database) as owner:
        hold_keys(owner, keys)
        started.set()
        rotation.join(0.5)
        assert rotation.is_alive()
        _, late = keys.new_data_key()  # under the old key, which the process has read
        owner.execute("UPDATE held_record SET wrapped_key = %s WHERE false", (late,))
        vault = "INSERT INTO subject VALUES ('person', 'late', 9999999, 'x', %s)"
        owner.execute(vault, (late,))
    rotation.join(10)
    assert not rotation.is_alive()
    with owner_transaction(own.database) as owner:
        stored = owner.execute("SELECT wrapped_key FROM subject WHERE subject_id = 9999999").fetchone()
        owner.execute("DELETE FROM subject WHERE subject_id = 9999999")
    assert stored is not None
    assert stored[0] != late
    assert KeyRing.open(path).unwrap(stored[0]) == keys.unwrap(stored[0])


def test_two_rotations_at_once_are_one_and_a_refusal(own: Bank) -> None:
    refused = []

    def step(_: int) -> None:
        with pytest.raises(RotationRuns):
            rotate(own.database, own.settings.key_file)
        refused.append(1)

    rotate(own.database, own.settings.key_file, step)
    assert refused
    opens_all(own, KeyRing.open(own.settings.key_file))


def test_the_command_rotates_and_writes_it_down(own: Bank) -> None:
    before = own.settings.key_file.read_text()
    told = []
    done = access.rotate_keys(own.settings, lambda *step: told.append(step))
    assert done.wrapped == len(wrapped(own.database)) == told[-1][1]
    now = own.settings.key_file.read_text()
    assert now.splitlines()[0] == before.splitlines()[0]
    assert now != before
    with owner_transaction(own.database) as owner:
        rows = owner.execute(
            "SELECT detail::text FROM audit_log WHERE action = 'master_key.rotated'"
        ).fetchall()
    assert len(rows) == 1
    assert not any(line.split()[-1] in rows[0][0] for line in (before + now).splitlines())


@pytest.mark.parametrize(
    "line", ["master", "master 00", "other " + "00" * 32, "next " + "0g" * 32, "00" * 32]
)
def test_a_file_with_a_line_that_is_no_key_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "master.key"
    path.write_text("00" * 32 + f"\n{line}\n")
    with pytest.raises(BrokenKeyFile):
        KeyRing.open(path)
