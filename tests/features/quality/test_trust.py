"""A source is not trusted while its last files are mostly wrong, and is again after a good one."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.model import Contract
from features.identity.vault import MemoryVault
from features.quality.trust import Poor, Trust, limits, poor, poor_sources
from features.timeline.ingest import FileReport, ingest_folder, reports_of
from features.timeline.lake import Lake
from tests.features.timeline.test_ingest import CONTRACT, HEADER, number

PAID = msgspec.convert(CONTRACT, Contract)
FEW = Trust({"accuracy": 0.8, "validity": 0.8}, 4)
GOOD, WRONG, LIMIT = (f",2024-0{{0}},{base},{status},2024-02-20T09:00:00+08:00\n" for base, status in
                      (("3500", "paid"), ("3500", "p"), ("-1", "paid")))  # fmt: skip


def lines(row: str, people: int, month: int = 1) -> str:
    return "".join(number(person) + row.format(month) for person in range(people))


def delivered(folder: Path, *files: str) -> Lake:
    lake, vault = Lake(folder / "lake"), MemoryVault()
    for order, text in enumerate(files):
        feed = folder / str(order)
        feed.mkdir(parents=True)
        (feed / "social_insurance.csv").write_text(HEADER + text, encoding="utf-8")
        ingest_folder(feed, {"social_insurance": PAID}, vault, lake)
    return lake


def judged(lake: Lake) -> Poor | None:
    return poor_sources(lake, {"social_insurance": PAID}, FEW).get("social_insurance")


def test_a_file_with_too_many_wrong_lines_condemns_its_source(tmp_path) -> None:
    lake = delivered(tmp_path, lines(GOOD, 20), lines(GOOD, 3, 2) + f"x{GOOD.format(2)}" * 2)
    assert judged(lake) == Poor("social_insurance", "accuracy", 3 / 5, 0.8, 5)


def test_values_outside_codes_and_limits_are_named_when_they_are_the_worst(tmp_path) -> None:
    two = lines(LIMIT, 3).replace("paid", "unpaid")
    lake = delivered(tmp_path, lines(GOOD, 7) + two)
    (report,) = reports_of(lake, "social_insurance")
    assert (report.quarantined, report.within, report.outside) == (3, 14, 6)
    found = judged(lake)
    assert found == Poor("social_insurance", "accuracy", 0.7, 0.8, 10)
    only = Trust({"validity": 0.8}, 4)
    assert poor("social_insurance", [report], only) == Poor("social_insurance", "validity", 0.7, 0.8, 10)


def test_the_corrected_file_mends_its_source_although_it_repeats_what_was_right(tmp_path) -> None:
    wrong = lines(GOOD, 2) + lines(WRONG, 10)
    lake = delivered(tmp_path, wrong)
    assert judged(lake) is not None
    assert judged(delivered(tmp_path / "again", wrong, lines(GOOD, 10))) is None


def test_a_small_file_does_not_hide_a_wrong_one_and_does_not_condemn_alone(tmp_path) -> None:
    hidden = delivered(tmp_path, lines(WRONG, 8), lines(GOOD, 3))
    assert judged(hidden) == Poor("social_insurance", "accuracy", 3 / 11, 0.8, 11)
    assert judged(delivered(tmp_path / "few", lines(WRONG, 3))) is None


def test_the_limits_that_are_shipped_can_be_read_and_are_shares() -> None:
    assert all(0 < least < 1 for least in limits().least.values())
    assert limits().fewest_rows > 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_the_rule_is_the_plain_one(files: list[tuple[int, int]]) -> None:
    reports = [
        FileReport("d", "f", good + bad, good, 0, bad, 0, batch=k) for k, (good, bad) in enumerate(files)
    ]
    found = poor("d", reports, Trust({"accuracy": 0.8}, 4))
    for first in range(len(files), -1, -1):
        rows = sum(good + bad for good, bad in files[first:])
        if rows >= 4:
            share = sum(good for good, _ in files[first:]) / rows
            assert found == (Poor("d", "accuracy", share, 0.8, rows) if share < 0.8 else None)
            return
    assert found is None
