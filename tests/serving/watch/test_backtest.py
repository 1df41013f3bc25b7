"""Back-tests of signals: what is counted, against a plain count, and on the small city with its page."""

from __future__ import annotations

import json
from statistics import median

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.calendar import DAY, instant, iso
from features.contracts.documents import read_yaml
from features.errors import Invalid
from serving.cli import app
from serving.watch.backtest import Backtest, counted, rate
from serving.watch.document import SignalsDocument
from serving.watch.months import Month, Onset, month_ends
from serving.watch.signals import SHIPPED
from serving.watch.trying import run_backtest
from tests.features.conftest import small_city
from tests.serving.governance.test_fairness import settings
from tests.serving.watch.test_analysis import NESTED, document

__all__ = ["settings", "small_city"]
ENDS = month_ends(instant("2025-01-01"), instant("2026-01-01"))
ONE = document(NESTED)
LOANS = range(1, 4)


def test_month_ends_are_the_first_instants_of_the_next_months() -> None:
    told = [iso(end) for end in month_ends(instant("2025-01-15"), instant("2025-03-31"))]
    assert told == ["2025-02-01", "2025-03-01"]
    assert iso(ENDS[0]) == "2025-01-01"


def month(end: int, told: dict[int, tuple[int, int]]) -> Month:
    """A month's end: days past due and rank by loan, of one signal."""
    loans = np.array(sorted(told), dtype=np.int64)
    dpd = np.array([told[loan][0] for loan in sorted(told)], dtype=np.int64)
    rank = np.array([[told[loan][1] for loan in sorted(told)]], dtype=np.int8)
    return Month(end, loans, dpd, rank.reshape(1, len(loans)), np.zeros(1, dtype=np.int64))


SAID = st.fixed_dictionaries({}, optional={n: st.tuples(st.sampled_from([0, 0, 20]), st.integers(0, 3)) for n in LOANS})  # fmt: skip
BAD = st.dictionaries(
    st.sampled_from(LOANS), st.tuples(st.integers(0, 500), st.integers(60, 120)), max_size=3
)


@given(st.lists(SAID, min_size=len(ENDS), max_size=len(ENDS)), BAD)
def test_what_is_counted_is_what_a_plain_count_counts(said, defaults) -> None:
    months = [month(end, told) for end, told in zip(ENDS, said, strict=True)]
    bad = [
        Onset(loan, ENDS[0] + day * DAY, ENDS[0] + (day + late) * DAY)
        for loan, (day, late) in defaults.items()
    ]
    last = ENDS[-1] + 100 * DAY
    (line,) = counted(ONE, "0" * 64, months, bad, last).lines
    since = {one.loan: one.since for one in bad}
    new, zero, right, over = {1: 0, 2: 0, 3: 0}, 0, 0, 0
    for before, end, now in zip(said, ENDS[1:], said[1:], strict=False):
        for loan, (dpd, rank) in now.items():
            if rank <= before.get(loan, (0, 0))[1]:
                continue
            new[rank] += 1
            if rank >= 2 and dpd == 0:
                zero += 1
                if end + 365 * DAY <= last:
                    over += 1
                    right += loan in since and end < since[loan] <= end + 365 * DAY
    assert (line.yellow, line.orange, line.red) == pytest.approx([new[k] / 12 for k in (1, 2, 3)])
    assert line.at_zero == pytest.approx(zero / 12)
    assert (line.precision.of if line.precision else 0) == over
    assert line.precision is None or line.precision.value == pytest.approx(right / over)
    leads, of = [], 0
    for one in bad:
        if not ENDS[1] + 30 * DAY <= one.missed <= ENDS[-1] + 365 * DAY:
            continue
        of += 1
        days = [
            (one.missed - end) / DAY
            for end, told in zip(ENDS[1:], said[1:], strict=True)
            if told.get(one.loan, (1, 0))[0] == 0 and told[one.loan][1] >= 2
        ]
        leads += [max(d for d in days if 30 <= d <= 365)] if any(30 <= d <= 365 for d in days) else []
    assert (line.coverage.of if line.coverage else 0) == of
    assert line.coverage is None or line.coverage.value == pytest.approx(len(leads) / of)
    assert line.lead_days == (median(leads) if leads else None)


def test_an_interval_of_few_is_wide_and_of_none_is_none() -> None:
    assert rate(0, 0) is None
    found = rate(1, 2)
    assert found is not None
    assert (found.value, found.of) == (0.5, 2)
    assert found.low == pytest.approx(0.0945, abs=1e-3)
    assert found.high == pytest.approx(0.9055, abs=1e-3)


def test_the_city_is_looked_back_on_with_table_page_and_the_version_before(
    settings, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("YIDAI_HOME", str(settings.home))
    monkeypatch.setenv("YIDAI_DATABASE_URL", settings.database_url)
    stricter = msgspec.to_builtins(read_yaml(SHIPPED, SignalsDocument))
    for signal in stricter["signals"]:
        if signal["code"] == "autopay_fail":
            signal["levels"][0]["all"][0]["value"] = 0.9
    mine, page = tmp_path / "mine.yaml", tmp_path / "page.html"
    mine.write_text(json.dumps(stricter), encoding="utf-8")
    done = CliRunner().invoke(app, [
        "signals", "backtest", "--signals", str(mine), "--against", str(SHIPPED), "--from", "2023-01-01", "--to", "2023-06-30",
        "--out", str(page), "--json",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    told = msgspec.convert(json.loads(done.stdout), dict[str, Backtest])
    after, before = told["after"], told["before"]
    assert (after.first, after.last, after.months) == ("2023-01", "2023-06", 6)
    assert after.defaults > 0
    lines = [{line.code: line for line in one.lines} for one in (after, before)]
    assert lines[0]["autopay_fail"].orange < lines[1]["autopay_fail"].orange
    assert lines[0]["autopay_fail"].yellow > lines[1]["autopay_fail"].yellow
    assert lines[0]["balance_drop"] == lines[1]["balance_drop"]
    assert lines[0]["dpd_open"].coverage.value == 0, "what is past due is not early"
    assert lines[0]["account_frozen"].skipped_share == 1, "what never came is not told"
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 1
    assert after.digest[:12] in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_two_dates_without_a_month_between_are_refused(settings) -> None:
    with pytest.raises(Invalid, match="not one month"):
        run_backtest(settings, "city", str(SHIPPED), "2023-01-10", "2022-12-01")
