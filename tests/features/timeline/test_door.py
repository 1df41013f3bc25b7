"""The door: what it refuses, what it leaves out, what it reads, and what it writes down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import msgspec
import numpy as np
import pytest

from features.consent import Access, Consent, Purpose
from features.contracts.model import Contract
from features.matrix import Missing
from features.timeline.door import Door, FileLog, MemoryLog, NotAllowed
from features.timeline.events import RawEvents
from features.timeline.lake import Lake
from tests.features.worlds import WAGES as FILED

WAGES = msgspec.convert(FILED, Contract)
OWN = msgspec.structs.replace(WAGES, dataset="own", consent_category="bank", legal_basis=("contract",))
SHOWN = msgspec.structs.replace(
    WAGES, dataset="shown", consent_category="tax", bases={"model_development": "pseudonymised_statistics"}
)
BOOK: dict[str, Contract] = {contract.dataset: contract for contract in (OWN, SHOWN, WAGES)}
ASSESS = Access("someone", Purpose.CREDIT_ASSESSMENT, "city", 15)


def consent(subject: int, *categories: str, purpose: Purpose = Purpose.CREDIT_ASSESSMENT) -> Consent:
    return Consent(UUID(int=subject), subject, categories, purpose.value, 10, 20, None, "city")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three people with one event in each dataset."""
    found = Lake(tmp_path_factory.mktemp("lake"))
    people = np.array([1, 2, 3], dtype=np.int64)
    for version, contract in enumerate(BOOK.values(), start=1):
        columns = {name: people.copy() for name in contract.names}
        ones = np.ones(3, dtype=np.int64)
        raw = RawEvents(people, ones, ones * 9, ones, ones * version, people, columns)
        found.append(contract.dataset, raw, np.zeros(3, dtype=bool))
    return found


def test_one_subject_is_read_as_far_as_consent_or_basis_goes(lake: Lake) -> None:
    log = MemoryLog()
    read = Door(lake, replace(ASSESS, consents=(consent(2, "income"),)), log).subject(BOOK, 2)
    assert set(read.tables) == {"own", "wages"}
    assert read.tables["wages"].subject.tolist() == [2]
    assert read.left_out == {"shown": Missing.NOT_AUTHORISED}
    (entry,) = log.entries
    assert (entry.actor, entry.at, entry.purpose, entry.subjects) == (
        "someone",
        15,
        "credit_assessment",
        (2,),
    )
    assert (entry.datasets, entry.categories) == (("own", "wages"), ("bank", "income"))
    assert (entry.bases, entry.consents, entry.left_out) == (
        ("consent", "contract"),
        (UUID(int=2),),
        ("shown",),
    )


def test_somebody_elses_consent_opens_nothing(lake: Lake) -> None:
    read = Door(lake, replace(ASSESS, consents=(consent(3, "income", "tax"),)), MemoryLog()).subject(BOOK, 2)
    assert set(read.tables) == {"own"}


def test_what_is_needed_is_refused_with_category_purpose_and_remedy_and_nothing_is_written(
    lake: Lake,
) -> None:
    log = MemoryLog()
    with pytest.raises(
        NotAllowed, match=r"wages \(category income\).*credit_assessment.*live consent"
    ) as told:
        Door(lake, ASSESS, log).events(WAGES)
    assert (told.value.status, told.value.code) == (403, "read_missing")
    assert not log.entries


def test_a_whole_dataset_is_read_on_a_stated_basis_only(lake: Lake) -> None:
    log = MemoryLog()
    learning = replace(ASSESS, purpose=Purpose.MODEL_DEVELOPMENT, consents=(consent(1, "income"),))
    read = Door(lake, learning, log).whole(BOOK, BOOK)
    assert {name: len(table) for name, table in read.tables.items()} == {"own": 3, "shown": 3}
    assert read.left_out == {"wages": Missing.NOT_AUTHORISED}
    assert log.entries[0].subjects is None
    assert log.entries[0].bases == ("contract", "pseudonymised_statistics")


def test_of_many_each_dataset_is_cut_to_those_who_allow_it(lake: Lake) -> None:
    log = MemoryLog()
    several = replace(ASSESS, consents=(consent(1, "income"), consent(3, "income", "tax")))
    tables, shares = Door(lake, several, log).shares(BOOK, BOOK, np.array([3, 2, 1, 3]))
    assert {name: table.subject.tolist() for name, table in tables.items()} == {
        "own": [1, 2, 3], "shown": [3], "wages": [1, 3],
    }  # fmt: skip
    told = {tuple(share.rows.tolist()): set(share.left_out) for share in shares}
    assert told == {(0, 3): set(), (1,): {"shown", "wages"}, (2,): {"shown"}}
    (entry,) = log.entries
    assert entry.subjects == (1, 2, 3)
    assert entry.consents == (UUID(int=1), UUID(int=3))


def test_a_lake_without_a_store_keeps_its_log_beside_it(lake: Lake, tmp_path: Path) -> None:
    log = FileLog(tmp_path)
    for _ in range(2):
        Door(lake, ASSESS, log).events(OWN)
    assert [entry.datasets for entry in log.entries()] == [("own",), ("own",)]
    assert FileLog(tmp_path / "nowhere").entries() == []
