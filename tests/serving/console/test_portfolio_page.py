"""The loan book at the console: figures and pictures, classes that people confirm, issues that they close."""

from __future__ import annotations

import re

import pytest

from serving.access.model import Role
from serving.console.pages import HEADERS
from serving.store.session import tenant_transaction
from tests.serving.analytics.desk import found_wanting, kept_reports
from tests.serving.classes.desk import classed
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.world import Bank

PICTURE = re.compile(r'src="/console(/pictures/[0-9a-f]{64}\.svg)"')


def said(bank: Bank, loan: str) -> tuple[str, bool]:
    """The class of a loan that counts, and whether somebody confirmed it."""
    asked = "SELECT risk_class, confirmed_at IS NOT NULL FROM class_point WHERE loan = %s"
    with tenant_transaction(bank.database, "city") as connection:
        found: tuple[str, bool] = connection.execute(asked, (loan,)).fetchone()  # type: ignore[assignment]
    return found


def ruling(guest: Guest, loan: str, risk_class: str, reason: str = "", version: str = "1") -> int:
    """Say what a loan's class is."""
    fields = {"loan": loan, "month": "2024-11", "version": version}
    return guest.post("/portfolio/classes", risk_class=risk_class, reason=reason, **fields).status_code


def test_a_book_that_nobody_worked_out_is_told_so(signed: Sign) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    assert "Nothing of the book has been worked out yet" in text_of(ada.get("/portfolio?village=nowhere"))


def test_the_book_is_told_by_months_with_pictures_of_the_same_figures(bank: Bank, signed: Sign) -> None:
    kept_reports(bank)
    ada, auditor = signed("ada", Role.RISK_OFFICER), signed("zhao", Role.AUDITOR)
    page = ada.get("/portfolio")
    assert page.status_code == 200, text_of(page)
    assert "2024-11 1 9,000 " in text_of(page)
    pictures = PICTURE.findall(page.text)
    assert len(pictures) == 4
    first = ada.get(pictures[0])
    assert (first.status_code, first.headers["content-type"]) == (200, "image/svg+xml")
    assert first.text.startswith("<svg")
    assert first.headers["cache-control"] == HEADERS["Cache-Control"]
    assert auditor.get(pictures[0]).content == first.content
    assert signed("chen", Role.ANALYST).get(pictures[0]).status_code == 403
    assert ada.get("/pictures/" + "0" * 64 + ".svg").status_code == 404
    assert "small" in text_of(ada.get("/portfolio?segment=small&months=6"))
    assert ada.get("/portfolio?segment=small&village=6f6").status_code == 422


def test_a_class_is_confirmed_by_one_and_made_better_by_two(bank: Bank, signed: Sign) -> None:
    for loan in ("L-A", "L-B", "L-C"):
        classed(bank, loan)
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    assert "Special mention" in text_of(ada.get("/portfolio/classes"))
    assert ruling(ada, "L-A", "special_mention") == 303
    assert ruling(ada, "L-B", "loss") == 422, "another class than proposed needs a reason"
    assert ruling(ada, "L-C", "normal", "Paid in full on Monday.") == 303
    assert said(bank, "L-C") == ("special_mention", False)
    assert ruling(ada, "L-C", "normal", "Paid in full on Monday.", "2") == 403
    assert "ada proposes Normal" in text_of(ann.get("/portfolio/classes"))
    assert ruling(ann, "L-C", "normal", "Seen: it is paid.", "1") == 409, "it was seen before the proposal"
    assert ruling(ann, "L-C", "normal", "Seen: it is paid.", "2") == 303
    assert [said(bank, loan) for loan in ("L-A", "L-B", "L-C")] == [
        ("special_mention", True), ("special_mention", False), ("normal", True),
    ]  # fmt: skip
    left = text_of(ann.get("/portfolio/classes"))
    assert "L-B" in left
    assert "L-A" not in left
    assert "confirmed by ada" in text_of(ann.get("/portfolio/classes?whole=true"))
    assert "L-B" not in text_of(ann.get("/portfolio/classes?risk_class=normal&whole=true"))


def test_who_only_reads_the_book_is_offered_no_form_and_refused(bank: Bank, signed: Sign) -> None:
    classed(bank, "L-D")
    auditor = signed("zhao", Role.AUDITOR)
    assert '<form method="post" action="/console/portfolio' not in auditor.get("/portfolio/classes").text
    assert ruling(auditor, "L-D", "special_mention") == 403


def test_an_issue_is_closed_once_with_a_reason(bank: Bank, signed: Sign) -> None:
    issue, others = found_wanting(bank, "city"), found_wanting(bank, "other")
    ada = signed("ada", Role.RISK_OFFICER)
    assert "The score has moved" in text_of(ada.get("/portfolio/issues"))
    assert ada.post(f"/portfolio/issues/{issue}", reason=" ").status_code == 422
    assert ada.post(f"/portfolio/issues/{issue}", reason="More young people apply.").status_code == 303
    assert ada.post(f"/portfolio/issues/{issue}", reason="Again.").status_code == 409
    assert ada.post(f"/portfolio/issues/{others}", reason="Not ours.").status_code == 404
    assert "More young people apply." in text_of(ada.get("/portfolio/issues?closed=true"))
    assert signed("zhao", Role.AUDITOR).post(f"/portfolio/issues/{issue}", reason="No.").status_code == 403


def test_a_ruling_comes_back_to_the_list_that_was_shown(bank: Bank, signed: Sign) -> None:
    classed(bank, "L-F")
    ada, here = signed("ada", Role.RISK_OFFICER), "?risk_class=special_mention&whole=false&after=L-E"
    page = ada.get(f"/portfolio/classes{here}").text
    assert f'action="/console/portfolio/classes{here.replace("&", "&amp;")}"' in page
    fields = {"loan": "L-F", "month": "2024-11", "version": "1", "risk_class": "special_mention"}
    sent = ada.post(f"/portfolio/classes{here}", **fields)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/console/portfolio/classes{here}")
    past = ada.get("/portfolio/classes?after=zzz")
    assert past.headers["location"] == "/console/portfolio/classes?risk_class=&whole=false"


def test_a_page_is_confirmed_at_once_as_proposed_and_who_is_refused_is_told(bank: Bank, signed: Sign) -> None:
    for loan in ("M-A", "M-B", "M-C", "M-D"):
        classed(bank, loan, month="2025-01")
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    better = {
        "loan": "M-C",
        "month": "2025-01",
        "version": "1",
        "risk_class": "normal",
        "reason": "It is paid.",
    }
    assert ada.post("/portfolio/classes", **better).status_code == 303
    page = ann.get("/portfolio/classes?whole=true").text
    rows = re.findall(r'name="row" value="([^"]+)"', page)
    assert [row.rpartition(":")[2] for row in rows] == ["M-A", "M-B", "M-D"], (
        "a better class waits for a person"
    )
    assert 'action="/console/portfolio/classes/shown?whole=true"' in page
    worse = {"loan": "M-B", "month": "2025-01", "version": "1", "risk_class": "loss", "reason": "Gone."}
    assert ada.post("/portfolio/classes", **worse).status_code == 303
    told = ann.post("/portfolio/classes/shown?whole=true", row=rows, month="2025-01", key="once")
    assert told.status_code == 200
    assert "2 are confirmed." in text_of(told)
    assert "M-B The class has changed" in text_of(told)
    again = ann.post(
        "/portfolio/classes/shown?whole=true", row=[rows[0], rows[2]], month="2025-01", key="once"
    )
    assert again.headers["location"] == "/console/portfolio/classes?whole=true"
    assert [said(bank, loan) for loan in ("M-A", "M-B", "M-C", "M-D")] == [
        ("special_mention", True), ("loss", True), ("special_mention", False), ("special_mention", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "row", ["", "x:normal:L-A", "1:perhaps:L-A", "1:normal:", "1:normal:" + "L" * 65, "1:normal:L\0"]
)
def test_a_row_that_no_page_shows_is_refused_and_nothing_is_confirmed(signed: Sign, row: str) -> None:
    ada, auditor = signed("ada", Role.RISK_OFFICER), signed("zhao", Role.AUDITOR)
    assert ada.post("/portfolio/classes/shown", row=row, month="2025-01").status_code == 422
    assert auditor.post("/portfolio/classes/shown", row=row, month="2025-01").status_code == 403
