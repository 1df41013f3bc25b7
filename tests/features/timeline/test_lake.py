"""The lake: append-only, by bucket and version, one writer, and never half of a batch to be seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import NEVER
from features.contracts.model import Contract
from features.errors import Integrity
from features.timeline.events import Pin, RawEvents, empty_table, mix, pin_of
from features.timeline.lake import BUCKET_BITS, DamagedSegment, Lake
from features.timeline.packed import pack, unpack
from tests.features.worlds import HISTORIES, plan_of, raw_of

CONTRACT: Contract = plan_of(
    [{"name": "n", "aggregate": "count", "zh": "测", "en": "t", "rationale": "t", "reason": "R"}]
).contracts["wages"]
FAR = 3 << BUCKET_BITS


def rows(version: int, subjects: list[int], amount: int = 1) -> RawEvents:
    n = len(subjects)
    subject = np.array(subjects, dtype=np.int64)
    fill = np.zeros(n, dtype=np.int64)
    columns = dict.fromkeys(CONTRACT.names, fill) | {"amount": np.full(n, amount), "slip": subject}
    return RawEvents(subject, fill, fill + NEVER, fill, fill + version, mix([columns["slip"]]), columns)


def append(lake: Lake, raw: RawEvents) -> int:
    return lake.append("wages", raw, np.zeros(len(raw.subject), dtype=bool))


def test_subjects_far_apart_lie_in_files_of_their_own_and_read_as_one(tmp_path) -> None:
    lake = Lake(tmp_path)
    assert append(lake, rows(1, [FAR + 2, 5, FAR, 1])) == 4
    assert sorted(path.name for path in (tmp_path / "wages").iterdir()) == ["00000", "00003"]
    assert lake.read(CONTRACT).subject.tolist() == [1, 5, FAR, FAR + 2]
    assert lake.subject_tables({"wages": CONTRACT}, FAR)["wages"].subject.tolist() == [FAR]
    for nobody in (FAR + 1, 99 << BUCKET_BITS):
        assert len(lake.subject_tables({"wages": CONTRACT}, nobody)["wages"]) == 0


def test_a_version_is_a_batch_and_a_read_may_be_pinned_to_it(tmp_path) -> None:
    lake = Lake(tmp_path)
    for version in (1, 2, 3):
        assert lake.next_version() == version
        append(lake, rows(version, [7], amount=version))
    assert lake.settled() == 3
    assert pin_of(lake.subject_tables({"wages": CONTRACT}, 7).values()) == Pin(3)
    assert pin_of(lake.subject_tables({"wages": CONTRACT}, 7, pin=Pin(2)).values()) == Pin(2)
    assert pin_of([empty_table(CONTRACT.names)]) == Pin(0)
    for pin in (1, 2, 3):
        stood = lake.read(CONTRACT, pin=Pin(pin))
        assert stood.columns["amount"][stood.known_to == NEVER].tolist() == [pin]


def test_nothing_is_stored_twice_within_a_batch_or_between_two(tmp_path) -> None:
    lake = Lake(tmp_path)
    assert append(lake, rows(1, [7, 7, 8])) == 2
    assert append(lake, rows(2, [7, 8])) == 0
    assert append(lake, rows(2, [7, 8], amount=2)) == 2
    assert lake.next_version() == 3


def test_an_empty_lake_has_no_history_and_no_version(tmp_path) -> None:
    lake = Lake(tmp_path / "nowhere")
    assert len(lake.read(CONTRACT)) == 0
    assert (lake.next_version(), lake.settled(), lake.flushed()) == (1, 0, 0)
    assert lake.subject_tables({"wages": CONTRACT}, 3)["wages"].columns.keys() == set(CONTRACT.names)
    assert lake.names("wages", "payer") == {}


@settings(max_examples=25, deadline=None)
@given(HISTORIES, st.integers(1, 4))
def test_what_was_appended_in_parts_reads_as_it_was_accepted(tmp_path_factory, history, parts) -> None:
    if not history:
        return
    lake = Lake(tmp_path_factory.mktemp("lake"))
    whole = raw_of([row | {"version": 1 + k * parts // len(history)} for k, row in enumerate(history)])
    for version in range(1, parts + 1):
        append(lake, whole.take(whole.version == version))
    distinct = np.unique(mix([whole.subject, whole.key, whole.valid_from, whole.valid_to, whole.known_from, *whole.columns.values()]),
                         return_index=True)[1]  # fmt: skip
    expected = whole.take(np.sort(distinct)).resolve()
    found = lake.read(CONTRACT)
    for name in ("subject", "valid_from", "known_from", "version"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()


def test_a_batch_that_failed_between_two_buckets_is_not_settled_and_can_be_run_again(tmp_path) -> None:
    lake = Lake(tmp_path)
    append(lake, rows(1, [1]))
    obstacle = tmp_path / "wages" / "00003"
    obstacle.write_text("where the second bucket's folder should be")
    with lake.writing(), pytest.raises(OSError, match="00003"):
        append(lake, rows(2, [2, FAR]))
    assert lake.settled() == 1
    assert lake.read(CONTRACT).subject.tolist() == [1, 2]
    obstacle.unlink()
    version = lake.next_version()
    assert append(lake, rows(version, [2, FAR])) == 1
    assert lake.read(CONTRACT).subject.tolist() == [1, 2, FAR]
    assert lake.settled() == version


def test_a_segment_that_cannot_be_read_is_named_with_its_remedy(tmp_path) -> None:
    lake = Lake(tmp_path)
    append(lake, rows(1, [7]))
    (segment,) = (tmp_path / "wages").rglob("*.parquet")
    segment.write_bytes(segment.read_bytes()[:-20])
    for read in (lambda: lake.read(CONTRACT), lambda: append(lake, rows(2, [8]))):
        with pytest.raises(
            DamagedSegment, match=r"000000000001\.parquet: the segment cannot be read\. Restore it"
        ):
            read()


def test_the_ledger_of_files_is_kept(tmp_path) -> None:
    lake = Lake(tmp_path)
    assert lake.loaded("wages", "ab12") is None
    lake.mark_loaded("wages", "ab12", {"rows": 3})
    assert Lake(tmp_path).loaded("wages", "ab12") == {"rows": 3}


def test_a_hydrated_subject_without_records_is_not_an_absent_one(tmp_path) -> None:
    tables = Lake(tmp_path).subject_tables({"wages": CONTRACT}, 7)
    again = unpack(pack(tables))
    assert again.keys() == {"wages"}
    assert len(again["wages"]) == 0
    assert tuple(again["wages"].columns) == CONTRACT.names
    assert unpack(pack({})) == {}


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x81\xa1a\x93\x02\x90\xc4\x03abc", b"\x93\x01\x02\x03"])
def test_bytes_that_are_no_timeline_are_refused(data) -> None:
    with pytest.raises(Integrity, match=r"a packed timeline cannot be read\. Hydrate the subject again"):
        unpack(data)
