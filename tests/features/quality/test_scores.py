"""Five scores of a source and month: each with the number that a small broken feed must give."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, NULL, instant
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract
from features.identity.vault import MemoryVault
from features.quality.assess import assess
from features.quality.scores import Period, Refused, Score, SourceScores, contradicted, scores_of
from features.timeline.events import RETRACTED, RawEvents
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from tests.features.timeline.test_ingest import CONTRACT, HEADER, number

PAID = msgspec.convert(CONTRACT, Contract)
LOAN = load_contracts([BUILTIN])["loan"]
LATER = instant("2026-01-01")
NONE = Refused(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def line(person: int, period: str, base: str, status: str, published: str) -> str:
    return f"{number(person)},{period},{base},{status},{published}T09:00:00+08:00\n"


def scored(folder: Path, *deliveries: str, now: int = LATER, by: Period = Period.MONTH) -> SourceScores:
    contracts, lake, vault = {"social_insurance": PAID}, Lake(folder / "lake"), MemoryVault()
    for order, text in enumerate(deliveries):
        (folder / str(order)).mkdir()
        (folder / str(order) / "social_insurance.csv").write_text(HEADER + text, encoding="utf-8")
        ingest_folder(folder / str(order), contracts, vault, lake)
    return assess(lake, contracts, now, by).scores["social_insurance"]


GOOD = line(1, "2024-01", "3500", "paid", "2024-02-20") + line(2, "2024-01", "3500", "paid", "2024-02-20")
BAD = line(3, "2024-13", "-1", "unpaid", "2024-02-20") + line(4, "2024-01", "1.234", "paid", "2024-02-20")


def test_accuracy_counts_a_bad_line_once_a_delivery_whatever_is_wrong_with_it(tmp_path) -> None:
    assert scored(tmp_path, GOOD + BAD).accuracy == Score(2 / 4, 4)


def test_the_same_line_of_another_delivery_is_another_line(tmp_path) -> None:
    assert scored(tmp_path, GOOD + BAD, GOOD + BAD + BAD).accuracy == Score(2 / 8, 8)


def test_validity_counts_the_values_outside_codes_and_limits_against_those_within(tmp_path) -> None:
    found = scored(tmp_path, GOOD + BAD)
    assert found.validity == Score(4 / 6, 4), "two bases and states are in, one of each was refused"


def test_a_source_without_a_good_row_has_accuracy_and_validity_by_date(tmp_path) -> None:
    found = scored(tmp_path, BAD)
    assert (found.accuracy, found.validity) == (Score(0.0, 2), Score(0.0, 2))
    (period,) = found.periods
    assert (period.period, period.rows) == ("2024-02", 0)
    assert list(period.five().values()) == [Score(0.0, 2), *[Score(None, 0)] * 3, Score(0.0, 2)]
    assert period.worst() == ("accuracy", 0.0)


def test_a_refused_line_counts_on_its_own_day_or_else_on_its_delivery(tmp_path) -> None:
    text = GOOD + line(3, "2024-02", "-1", "paid", "2024-03-05")  # known on its own day
    text += line(4, "2024-02", "3500", "paid", "2024-03-06")
    text += f"{number(5)},2024-02,-1,paid,never\n"  # known after the usual 30 days: 31 March
    text += "nobody,,,,\n"  # tells no time: known with the latest of its delivery, the line before
    found = {each.period: each for each in scored(tmp_path, text, by=Period.DAY).periods}
    assert {day: each.accuracy for day, each in found.items()} == {
        "2024-02-20": Score(1.0, 2),
        "2024-03-05": Score(0.0, 1),
        "2024-03-06": Score(1.0, 1),
        "2024-03-31": Score(0.0, 2),
    }
    assert found["2024-03-05"].validity == Score(0.0, 1)
    assert found["2024-02-20"].validity == Score(1.0, 2)


def test_a_delivery_that_tells_no_time_at_all_is_of_the_day_of_its_receipt(tmp_path) -> None:
    lake, contracts, vault = Lake(tmp_path / "lake"), {"social_insurance": PAID}, MemoryVault()
    (tmp_path / "social_insurance.csv").write_text(HEADER + "nobody,,,,\n" * 3, encoding="utf-8")
    ingest_folder(tmp_path, contracts, vault, lake, received=instant("2024-05-02"))
    found = assess(lake, contracts, LATER, Period.DAY).scores["social_insurance"]
    assert [(each.period, each.accuracy) for each in found.periods] == [("2024-05-02", Score(0.0, 3))]
    assert assess(lake, contracts, instant("2024-05-01"), Period.DAY).scores == {}


def test_what_cannot_be_dated_counts_in_the_sum_over_all_deliveries(tmp_path) -> None:
    found = scored(tmp_path, GOOD, "nobody,,,,\n")
    assert found.accuracy == Score(2 / 3, 3)
    assert [each.accuracy for each in found.periods] == [Score(1.0, 2)]


def test_completeness_is_of_the_month_of_arrival_and_looks_at_no_time(tmp_path) -> None:
    text = GOOD + line(3, "2024-01", "", "paid", "2024-02-21") + line(4, "2024-01", "", "", "2024-03-01")
    (february, march) = scored(tmp_path, text).periods
    assert (february.period, february.completeness) == ("2024-02", Score(5 / 6, 3))
    assert (march.period, march.completeness) == ("2024-03", Score(0.0, 1))


def test_consistency_falls_where_a_stated_value_was_changed_and_not_where_one_was_filled(tmp_path) -> None:
    text = GOOD + line(3, "2024-01", "", "paid", "2024-02-20")
    text += line(1, "2024-01", "3600", "paid", "2024-03-02") + line(
        3, "2024-01", "3500", "paid", "2024-03-02"
    )
    february, march = scored(tmp_path, text).periods
    assert (february.consistency, march.consistency) == (Score(2 / 3, 3), Score(1.0, 2))


def test_timeliness_counts_first_rows_and_leaves_out_those_without_a_time_of_their_own(tmp_path) -> None:
    text = GOOD  # known 20.4 days after the month: 9.6 before the usual 30
    text += line(3, "2024-01", "1", "paid", "2024-03-08")  # 6.4 days late, of 7 that are borne
    text += line(4, "2024-01", "1", "paid", "2024-03-09")  # 7.4 days late
    text += line(1, "2024-01", "2", "paid", "2024-03-30")  # a correction is no first row
    text += f"{number(5)},2024-01,1,paid,\n"
    february, march = scored(tmp_path, text).periods
    assert (february.timeliness, february.late_50) == (Score(1.0, 2), -10.62)
    assert (march.timeliness, march.rows) == (Score(1 / 2, 2), 4)
    assert (march.late_50, march.late_95) == (6.38, 7.38)


def test_days_are_those_of_china_and_what_became_known_later_is_not_seen(tmp_path) -> None:
    text = f"{number(1)},2024-01,1,paid,2024-02-20T23:30:00Z\n" + line(
        2, "2024-01", "1", "paid", "2024-02-22"
    )
    found = scored(tmp_path, text, now=instant("2024-02-21T12:00:00+08:00"), by=Period.DAY)
    assert [each.period for each in found.periods] == ["2024-02-21"]
    assert found.accuracy == Score(1.0, 1)


def test_the_worst_of_the_five_is_named(tmp_path) -> None:
    found = scored(tmp_path, GOOD + line(3, "2024-01", "", "", "2024-02-20"))
    assert found.periods[0].worst() == ("completeness", 4 / 6)


def loan_rows(*rows: tuple[int, int, int]) -> RawEvents:
    """Rows of one loan by (end, principal, state), a day apart; NULL where empty."""
    ends, principals, states = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    known = np.arange(len(rows), dtype=np.int64) * DAY
    columns = {name: np.full(len(rows), NULL) for name in LOAN.names}
    columns |= {"ended_at": np.where(ends == NEVER, NULL, ends), "principal": principals, "state": states}
    one = np.ones(len(rows), dtype=np.int64)
    return RawEvents(one, one, ends, known, one, one, columns)


def flags(raw: RawEvents) -> list[bool]:
    return contradicted(LOAN, raw, raw.by_key()).tolist()


def test_the_end_of_a_loan_is_news_and_its_state_with_it_but_not_its_principal() -> None:
    assert flags(loan_rows((NEVER, 5, 1), (9, 5, 2))) == [False, False]
    assert flags(loan_rows((NEVER, 5, 1), (9, 6, 2))) == [True, False]
    assert flags(loan_rows((NEVER, 5, 1), (NEVER, 5, 2))) == [True, False]
    assert flags(loan_rows((9, 5, 1), (10, 5, 1))) == [True, False]


def test_a_row_that_was_taken_back_was_wrong_and_what_takes_it_back_is_no_row() -> None:
    raw = loan_rows((NEVER, 5, 1), (RETRACTED, 5, 1))
    assert flags(raw) == [True, False]
    (period,) = scores_of(LOAN, raw, NONE, Period.MONTH).periods
    assert (period.rows, period.consistency) == (1, Score(0.0, 1))


VALUE = st.sampled_from([NULL, 1, 2])
ROW = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 40), st.integers(0, 1), VALUE, VALUE)


def rows_of(rows: list[tuple[int, ...]]) -> RawEvents:
    subject, key, day, taken, base, status = (
        np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)
    )
    known = instant("2024-01-01") + day * DAY
    columns = {"period": key, "base": base, "status": status, "published_at": known}
    end = np.where(taken & (base == 2), RETRACTED, NEVER)
    return RawEvents(subject, known, end, known, np.arange(len(rows)), key, columns)


@given(st.lists(ROW, min_size=1, max_size=12))
def test_completeness_and_consistency_are_what_counting_row_by_row_gives(rows: list[tuple[int, ...]]) -> None:
    raw = rows_of(rows)
    found = {each.period: each for each in scores_of(PAID, raw, NONE, Period.MONTH).periods}
    order = sorted(range(len(rows)), key=lambda i: (rows[i][2], i))
    told = [i for i in order if raw.valid_to[i] != RETRACTED]

    def under(i: int, among: list[int]) -> list[int]:
        return [j for j in among[among.index(i) + 1 :] if rows[j][:2] == rows[i][:2]]

    def contradicts(i: int) -> bool:
        following = under(i, order)[:1]
        if following and following[0] not in told:
            return True
        return any(rows[i][f] not in {NULL, rows[j][f]} for j in under(i, told) for f in (4, 5))

    for label, days in (("2024-01", range(31)), ("2024-02", range(31, 60))):
        own = [i for i in told if rows[i][2] in days]
        if not own:
            assert label not in found
            continue
        there = sum(rows[i][f] != NULL for i in own for f in (4, 5))
        assert found[label].completeness == Score(pytest.approx(there / 2 / len(own)), len(own))
        wrong = sum(contradicts(i) for i in own)
        assert found[label].consistency == Score(pytest.approx(1 - wrong / len(own)), len(own))
