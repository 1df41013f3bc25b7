"""Feeds: good rows in, bad rows explained, twice is once, and killed is no loss."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.calendar import instant, iso
from features.contracts.model import Contract, SubjectKind
from features.definitions.plan import SnapshotTooEarly
from features.errors import Integrity
from features.identity.vault import MemoryVault
from features.timeline.ingest import HalfWritten, UnknownFeed, ingest_folder, quarantine
from features.timeline.lake import DamagedSegment, Lake, LakeBusy
from features.timeline.text import UnreadableFeed
from tests.features.worlds import plan_of

CONTRACT = {
    "schema": 1,
    "dataset": "social_insurance",
    "department": "hrss",
    "title": {"zh": "社保", "en": "Social insurance"},
    "subject": "person",
    "subject_field": "id_number",
    "consent_category": "social_insurance",
    "legal_basis": ["consent"],
    "times": {
        "valid_from": {"field": "period"},
        "known_from": {"field": "published_at", "usual_lag_days": 30},
    },
    "key": ["period"],
    "fields": [
        {"name": "period", "type": "month", "required": True},
        {"name": "base", "type": "money", "min": 0},
        {"name": "status", "type": "category", "codes": {"paid": {"zh": "已缴", "en": "paid"}}},
        {"name": "published_at", "type": "instant"},
    ],
}
HEADER = "id_number,period,base,status,published_at\n"


def number(order: int) -> str:
    from features.identity.numbers import person_check_digit

    body = f"11010519491231{order:03}"
    return body + person_check_digit(body)


@pytest.fixture
def contracts() -> dict[str, Contract]:
    return {"social_insurance": msgspec.convert(CONTRACT, Contract)}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def write(tmp_path: Path, text: str, name: str = "social_insurance.csv") -> Path:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


GOOD = f"{number(1)},2024-01,3500.50,paid,2024-02-20T09:00:00+08:00\n"


def test_a_row_is_stored_with_its_times_and_fen(tmp_path, contracts, lake) -> None:
    ingest_folder(write(tmp_path, HEADER + GOOD), contracts, MemoryVault(), lake)
    table = lake.read(contracts["social_insurance"])
    assert table.columns["base"].tolist() == [350_050]
    assert iso(int(table.valid_from[0])) == "2024-01-01"
    assert iso(int(table.known_from[0])) == "2024-02-20T09:00:00+08:00"


@pytest.mark.parametrize(
    ("row", "field", "value_class"),
    [
        (f"{number(2)},2024-13,1,paid,", "period", "not a month"),
        (f"{number(2)},,1,paid,", "period", "empty"),
        (f"{number(2)},2024-01,-1,paid,", "base", "below the minimum"),
        (f"{number(2)},2024-01,1.234,paid,", "base", "not an amount in yuan"),
        (f"{number(2)},2024-01,1,unpaid,", "status", "unknown code"),
        (f"{number(2)},2024-01,1,paid,yesterday", "published_at", "not an instant"),
        (f"{number(2)[:-1]}?,2024-01,1,paid,", "id_number", "wrong characters"),
        ("110105194912310021,2024-01,1,paid,", "id_number", "wrong check digit"),
        (",2024-01,1,paid,", "id_number", "empty"),
        (f"{number(2)},2024-01,1", "", "wrong number of columns"),
    ],
)
def test_a_bad_row_goes_to_quarantine_and_its_neighbours_are_kept(
    tmp_path, contracts, lake, row, field, value_class
) -> None:
    text = HEADER + GOOD + row + "\n" + GOOD.replace("2024-01", "2024-02")
    report = ingest_folder(write(tmp_path, text), contracts, MemoryVault(), lake)
    assert (report.loaded, report.quarantined) == (2, 1)
    finding = quarantine(lake)[0]
    assert (finding.dataset, finding.file, finding.line) == ("social_insurance", "social_insurance.csv", 3)
    assert (finding.field, finding.value_class) == (field, value_class)
    assert finding.remedy
    assert number(2) not in str(finding)


def test_loading_the_same_file_twice_changes_nothing(tmp_path, contracts, lake) -> None:
    folder, vault = write(tmp_path, HEADER + GOOD), MemoryVault()
    ingest_folder(folder, contracts, vault, lake)
    before = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
    again = ingest_folder(folder, contracts, vault, lake)
    assert again.files[0].again
    assert {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()} == before


def test_rows_that_came_in_another_file_are_not_stored_again(tmp_path, contracts, lake) -> None:
    vault = MemoryVault()
    ingest_folder(write(tmp_path, HEADER + GOOD), contracts, vault, lake)
    more = HEADER + GOOD + GOOD.replace("2024-01", "2024-02")
    report = ingest_folder(write(tmp_path, more), contracts, vault, lake)
    assert (report.files[0].loaded, report.files[0].repeated) == (1, 1)
    assert len(lake.read(contracts["social_insurance"])) == 2


def test_a_back_fill_without_a_known_time_gets_the_usual_lag_and_a_mark(tmp_path, contracts, lake) -> None:
    report = ingest_folder(
        write(tmp_path, HEADER + f"{number(1)},2024-01,1,paid,\n"), contracts, MemoryVault(), lake
    )
    table = lake.read(contracts["social_insurance"])
    assert iso(int(table.known_from[0])) == "2024-03-02"  # the month's end and thirty days
    assert report.files[0].imputed_known == 1


def test_a_correction_leaves_the_first_version_readable(tmp_path, contracts, lake) -> None:
    vault = MemoryVault()
    ingest_folder(write(tmp_path, HEADER + GOOD), contracts, vault, lake)
    corrected = GOOD.replace("3500.50", "4000.00").replace("2024-02-20", "2024-05-01")
    ingest_folder(write(tmp_path, HEADER + corrected), contracts, vault, lake)
    table = lake.read(contracts["social_insurance"])
    assert table.visible(instant("2024-03-01")).columns["base"].tolist() == [350_050]
    assert table.visible(instant("2024-06-01")).columns["base"].tolist() == [400_000]


def test_one_subject_is_read_as_the_whole_is(tmp_path, contracts, lake) -> None:
    text = HEADER + "".join(f"{number(k % 7)},2024-{1 + k // 7:02},{k},paid,\n" for k in range(42))
    vault = MemoryVault()
    ingest_folder(write(tmp_path, text), contracts, vault, lake)
    whole = lake.read(contracts["social_insurance"])
    for k in range(7):
        subject = vault.find(SubjectKind.PERSON, number(k))
        assert subject is not None
        alone = lake.subject_tables(contracts, subject)["social_insurance"]
        assert alone.columns["base"].tolist() == whole.columns["base"][whole.subject == subject].tolist()
        assert (alone.version == 1).all()


def test_a_snapshot_is_refused_for_earlier_dates(tmp_path, contracts, lake) -> None:
    snapshot = CONTRACT | {"history": "snapshot"}
    plan = plan_of(
        [{"name": "n", "aggregate": "count", "zh": "数", "en": "n", "rationale": "r", "reason": "R"}],
        [snapshot],
    )
    ingest_folder(write(tmp_path, HEADER + GOOD), dict(plan.contracts), MemoryVault(), lake)
    tables = lake.tables(plan.contracts, plan.datasets)
    one = np.array([0], dtype=np.int64)
    plan.build(tables, one, np.array([instant("2024-03-01")]))
    with pytest.raises(SnapshotTooEarly, match="overwritten"):
        plan.build(tables, one, np.array([instant("2024-02-01")]))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "cannot be read"),
        (b"id_number,period\n1,2\n", "lacks base"),
    ],
)
def test_an_unreadable_file_is_refused_with_its_name(tmp_path, contracts, lake, content, word) -> None:
    folder = write(tmp_path, "")
    (folder / "social_insurance.csv").write_bytes(content)
    with pytest.raises(UnreadableFeed, match=word) as refusal:
        ingest_folder(folder, contracts, MemoryVault(), lake)
    assert "social_insurance" in str(refusal.value)


def test_text_that_is_not_utf8_is_refused_as_such(tmp_path, contracts, lake) -> None:
    folder = write(tmp_path, "")
    (folder / "social_insurance.csv").write_bytes((HEADER + GOOD.replace("paid", "已缴")).encode("gbk"))
    with pytest.raises(UnreadableFeed, match="UTF-8"):
        ingest_folder(folder, contracts, MemoryVault(), lake)


def test_a_truncated_archive_is_refused(tmp_path, contracts, lake) -> None:
    folder = write(tmp_path, "")
    (folder / "social_insurance.csv").unlink()
    whole = gzip.compress((HEADER + GOOD * 50).encode())
    (folder / "social_insurance.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFeed, match="cannot be read"):
        ingest_folder(folder, contracts, MemoryVault(), lake)


def test_a_half_written_city_and_an_unknown_feed_are_refused_before_anything_is_loaded(
    tmp_path, contracts, lake
) -> None:
    (tmp_path / "city" / "feeds").mkdir(parents=True)
    with pytest.raises(HalfWritten, match=r"city\.json"):
        ingest_folder(tmp_path / "city", contracts, MemoryVault(), lake)
    folder = write(tmp_path, HEADER + GOOD)
    (folder / "horoscope.csv").write_text("a\n1\n")
    with pytest.raises(UnknownFeed, match="horoscope"):
        ingest_folder(folder, contracts, MemoryVault(), lake)
    assert not list(lake.root.rglob("*.parquet"))


def test_two_ingests_at_once_do_not_mix(tmp_path, contracts, lake) -> None:
    with lake.writing(), pytest.raises(LakeBusy):
        ingest_folder(write(tmp_path, HEADER + GOOD), contracts, MemoryVault(), lake)


def test_a_damaged_segment_is_named(tmp_path, contracts, lake) -> None:
    ingest_folder(write(tmp_path, HEADER + GOOD), contracts, MemoryVault(), lake)
    next(lake.root.glob("social_insurance/*/*.parquet")).write_bytes(b"PAR1 no more")
    with pytest.raises(DamagedSegment) as refusal:
        lake.read(contracts["social_insurance"])
    assert isinstance(refusal.value, Integrity)


KILLED = """
import os, signal, sys
from pathlib import Path
import msgspec
import features.timeline.lake as lake_module
from features.contracts.model import Contract
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder
from tests.features.timeline.test_ingest import CONTRACT
contracts = {"social_insurance": msgspec.convert(CONTRACT, Contract)}
mark = lake_module.Lake.mark_loaded
def die(self, *rest):
    os.kill(os.getpid(), signal.SIGKILL)
lake_module.Lake.mark_loaded = die
ingest_folder(Path(sys.argv[1]), contracts, MemoryVault(), lake_module.Lake(Path(sys.argv[2])))
"""


def test_an_ingest_that_was_killed_can_be_run_again(tmp_path, contracts, lake) -> None:
    folder = write(tmp_path, HEADER + GOOD + GOOD.replace("2024-01", "2024-02"))
    killed = subprocess.run([sys.executable, "-c", KILLED, folder, lake.root], check=False, cwd=Path.cwd())
    assert killed.returncode == -signal.SIGKILL
    ingest_folder(folder, contracts, MemoryVault(), lake)
    assert len(lake.read(contracts["social_insurance"])) == 2


def test_a_line_that_is_no_text_is_quarantined_and_stays_on_record(tmp_path, contracts, lake) -> None:
    """Lines that are no UTF-8, of the right width or not, cost their neighbours nothing."""
    good = (HEADER + "".join(GOOD.replace("2024-01", f"2023-{month:02}") for month in range(1, 6))).encode()
    folder = write(tmp_path, "")
    path = folder / "social_insurance.csv"
    path.write_bytes(good + GOOD.encode().replace(b"paid", b"\xff\xfe") + b"xx,\xff\xfe\n")
    report = ingest_folder(folder, contracts, MemoryVault(), lake)
    lines = good.count(b"\n")
    assert report.loaded == lines - 1
    found = {(f.line, f.value_class) for f in quarantine(lake)}
    assert {(lines + 1, "not UTF-8"), (lines + 2, "wrong number of columns")} <= found
    path.write_bytes(good + b"\n")
    ingest_folder(folder, contracts, MemoryVault(), lake)
    assert found <= {(f.line, f.value_class) for f in quarantine(lake)}, "a later delivery takes nothing away"


def test_a_header_that_names_a_column_twice_is_refused(tmp_path, contracts, lake) -> None:
    folder = write(tmp_path, HEADER.strip() + ",base\n" + GOOD)
    with pytest.raises(UnreadableFeed, match="names base twice"):
        ingest_folder(folder, contracts, MemoryVault(), lake)
