"""The loan book as commands: for people in colour on a terminal and plain in a pipe, for programs as JSON."""

from __future__ import annotations

from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.loans.desk import drawn, feed_loan
from tests.serving.world import Bank, Client

NOW = "2025-01-02T12:00:00+08:00"


def test_a_loan_is_shown_as_over_http_and_for_people(client: Client, bank: Bank) -> None:
    desk = drawn(client)
    desk.pay("2024-07-05", 40_600)
    found = desk.read()
    assert told(bank, "auditor", "loans", "show", desk.loan, "--as-of", found["as_of"]) == found
    code, text = yidai(bank, "auditor", "loans", "show", desk.loan, "--as-of", NOW)
    assert code == 0
    for part in ("active", "150 days past due", "2024-09-05", "406.00", "drawdown", "payment"):
        assert part in text, part
    assert "\x1b" not in text


def test_the_book_holds_the_loans_of_the_banks_feeds_too(client: Client, bank: Bank, tmp_path) -> None:
    desk = drawn(client)
    feed_loan(bank, tmp_path, "FEED 1")
    book = told(bank, "auditor", "loans", "book", "--as-of", NOW, "--bucket", "31-60")
    assert [(row["loan_id"], row["dpd"], row["balance_fen"]) for row in book["rows"]] == [
        ("FEED 1", 32, 900_000)
    ]
    code, text = yidai(bank, "auditor", "loans", "book", "--as-of", NOW)
    assert (code, "FEED 1" in text, desk.loan[:8] in text) == (0, True, True)
    assert told(bank, "auditor", "loans", "show", "FEED 1", "--as-of", NOW)["dpd"] == 32
    desk.loan = "FEED 1"
    assert desk.pay("2024-12-20", 900_000).json()["loan"]["state"] == "settled"


def test_a_loan_that_is_not_there_and_a_band_that_is_none_are_told(bank: Bank) -> None:
    code, text = yidai(bank, "auditor", "loans", "show", "nothing")
    assert (code, "Compare the id" in text) == (2, True)
    code, text = yidai(bank, "auditor", "loans", "book", "--bucket", "91-120")
    assert (code, "61-90" in text) == (2, True)
