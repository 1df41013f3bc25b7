"""The vault: dense ids whose order says nothing, given once, also in a crowd and after an erasure."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest

from features.contracts.model import SubjectKind
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing, Unreadable
from serving.store.session import owner_transaction
from serving.store.vault import PostgresVault, UnknownSubject

PERSON, FIRM = SubjectKind.PERSON, SubjectKind.LEGAL_PERSON
_names: Iterator[int] = count()


def numbers(amount: int) -> list[str]:
    """Numbers that nobody else uses; the vault takes what ingest has checked."""
    return [f"N{next(_names):06d}" for _ in range(amount)]


@pytest.fixture
def vault(store: tuple[Settings, Database]) -> PostgresVault:
    """A vault without memory of its own."""
    settings, database = store
    return PostgresVault(database, KeyRing.open(settings.key_file))


def given(vault: PostgresVault) -> int:
    """How many ids were ever given."""
    with owner_transaction(vault._database) as owner:
        return int(owner.execute("SELECT given FROM subject_counter").fetchone()[0])


def test_ids_are_dense_and_their_order_says_nothing(vault: PostgresVault) -> None:
    first, asked = given(vault), numbers(2_000)
    ids = vault.assign(PERSON, asked)
    assert sorted(ids.tolist()) == list(range(first, first + 2_000))
    assert abs(np.corrcoef(ids, np.arange(2_000))[0, 1]) < 0.15


def test_a_number_keeps_its_id_and_kinds_are_apart(vault: PostgresVault, store) -> None:
    asked = numbers(5)
    ids = vault.assign(PERSON, [*asked, *asked[::-1]])
    assert ids[:5].tolist() == ids[5:][::-1].tolist()
    again = PostgresVault(store[1], KeyRing.open(store[0].key_file))
    assert again.assign(PERSON, asked).tolist() == ids[:5].tolist()
    assert not set(again.assign(FIRM, asked).tolist()) & set(ids.tolist())
    assert [again.find(PERSON, number) for number in asked] == ids[:5].tolist()
    assert again.find(PERSON, "nobody") is None


def test_a_number_comes_back_under_the_masters_key_only(vault: PostgresVault, store, tmp_path) -> None:
    (number,) = numbers(1)
    (subject,) = vault.assign(PERSON, [number])
    assert vault.number_of(int(subject)) == number
    with pytest.raises(Unreadable):
        PostgresVault(store[1], KeyRing.open(tmp_path / "other")).number_of(int(subject))


def test_what_was_erased_is_unknown_and_its_id_is_not_given_again(vault: PostgresVault) -> None:
    asked = numbers(3)
    ids = vault.assign(PERSON, asked)
    vault.erase(int(ids[1]))
    assert vault.find(PERSON, asked[1]) is None
    with pytest.raises(UnknownSubject):
        vault.number_of(int(ids[1]))
    before = given(vault)
    anew = vault.assign(PERSON, asked)
    assert anew[[0, 2]].tolist() == ids[[0, 2]].tolist()
    assert anew[1] == before


def test_a_crowd_that_brings_the_same_numbers_gets_the_same_ids(store) -> None:
    settings, database = store
    asked = numbers(300)

    def one(k: int) -> list[int]:
        mine = PostgresVault(database, KeyRing.open(settings.key_file))
        shuffled = np.random.default_rng(k).permutation(asked).tolist()
        return dict(zip(shuffled, mine.assign(PERSON, shuffled).tolist(), strict=True))

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(one, range(6)))
    assert all(each == found[0] for each in found)
    assert len(set(found[0].values())) == 300


def test_nobody_is_no_work(vault: PostgresVault) -> None:
    before = given(vault)
    assert vault.assign(PERSON, []).tolist() == []
    assert given(vault) == before
