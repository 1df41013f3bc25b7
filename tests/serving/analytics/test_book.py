"""The book month by month: as a document, as tables, and as a page with pictures."""

from __future__ import annotations

import json
from pathlib import Path

from features.calendar import instant, iso
from serving.analytics.model import amount_band, month_ends
from tests.serving.cases.test_cases_cli import yidai
from tests.serving.feeding import ingest
from tests.serving.watch.test_watch import DUE, LOAN
from tests.serving.world import LATE, Bank

NOW = "2025-01-02T12:00:00+08:00"


def test_month_ends_are_those_of_china_and_the_last_is_not_in_the_future() -> None:
    ends = [iso(at) for at in month_ends(instant("2024-12-31T16:00:00Z"), 2)]
    assert ends == ["2024-12-01", "2025-01-01"]
    assert month_ends(instant("2024-12-31T15:59:59Z"), 1) == [instant("2024-11-30T16:00:00Z")]


def test_amounts_fall_into_bands_whose_upper_end_belongs_to_them() -> None:
    assert [amount_band(fen) for fen in (1, 1_000_000, 1_000_001, 10_000_000, 10_000_001)] == [
        "to 10,000", "to 10,000", "to 30,000", "to 100,000", "over 100,000",
    ]  # fmt: skip


def feed_loan(bank: Bank, folder: Path) -> Path:
    """One loan of four months in the bank's feed, of which nothing is ever paid."""
    made = "2024-08-01T09:00:00"
    row = [LATE, "UNPAID", "A1", made, made, "2024-12-01", "", 9000, 60000, 4, "active", made]
    ingest(bank, folder, "loan", LOAN, [row])
    dues = [[LATE, "UNPAID", n, f"2024-{8 + n:02d}-01", "2300", made] for n in (1, 2, 3, 4)]
    ingest(bank, folder / "dues", "loan_instalment", DUE, dues)
    return folder


def test_a_loan_that_is_never_paid_rolls_from_band_to_band(bank: Bank, tmp_path: Path) -> None:
    page = feed_loan(bank, tmp_path) / "book.html"
    asked = ("portfolio", "--as-of", NOW, "--months", "6", "--out", str(page), "--json")
    _, text = yidai(bank, "auditor", "loans", *asked)
    found = json.loads(text[text.index("{") :])  # after the progress
    bands = [
        {band["band"]: band["loans"] for band in month["bands"] if band["loans"]} for month in found["months"]
    ]
    late = [next(iter(each)) for each in bands if each]
    assert late == sorted(late, key=["0", "1-30", "31-60", "61-90", "90+"].index)
    assert late[-1] == "90+"
    assert [month["month"] for month in found["months"]][-2:] == ["2024-11", "2024-12"]
    assert found["months"][-1]["npl"] == 1.0
    assert found["largest"] == 1.0
    moved = [sum(map(sum, roll["loans"])) for roll in found["rolls"]]
    assert moved == [month["loans"] for month in found["months"][:-1]]
    assert {name: len(parts) for name, parts in found["parts"].items()} == {
        "amount granted": 1, "year granted": 1, "segment": 1, "village": 1,
    }  # fmt: skip
    text = page.read_text()
    assert text.count("<svg") >= 2
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_tables_are_for_people_and_a_book_without_loans_is_told(bank: Bank, tmp_path: Path) -> None:
    feed_loan(bank, tmp_path)
    code, text = yidai(bank, "auditor", "loans", "portfolio", "--as-of", NOW, "--months", "3")
    assert (code, "Roll rates" in text, "By village" in text) == (0, True, True)
    code, text = yidai(bank, "auditor", "loans", "portfolio", "--as-of", "1999-01-01")
    assert (code, "no loan was known" in text) == (2, True)
