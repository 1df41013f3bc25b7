"""The risk officer's other pages in a browser: a borrower, a village, the loan book, and an inbox of ten thousand."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from features.calendar import DAY
from features.loans.model import State
from features.loans.whole import STATES, WholeBook
from serving.access.model import Role
from serving.analytics.model import month_ends, portfolio
from serving.analytics.repository import PORTFOLIO, keep
from serving.store.session import tenant_transaction
from serving.watch.signals import Level
from tests.browser.conftest import Opened, picture, sound
from tests.serving.alerts.desk import forget_alerts, raised, sighting, stored
from tests.serving.analytics.desk import found_wanting
from tests.serving.cases.desk import decided
from tests.serving.classes.desk import classed
from tests.serving.feeding import subject_of
from tests.serving.loans.desk import drawn
from tests.serving.world import AS_OF, GOOD, LATE, NOW, Bank, Client

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.usefixtures("nothing_promised"),
    pytest.mark.skipif(
        os.environ.get("YIDAI_CAMPAIGN") == "slice", reason="not in the slice of the long runs"
    ),
]
MANY = 10_000
WHY = "The playbook asks for a call."
SAID = {
    "zh": "社保已停缴 2 个月，此前连续缴纳 31 个月（截至 2025-01-01，来源：社保）。",
    "en": "Social insurance stopped 2 months ago, after 31 months in a row (as of 2025-01-01, social insurance).",
    "action_zh": "致电。", "action_en": "Call.",
}  # fmt: skip

COURT = SAID | {
    "zh": "新增被执行案件 1 件，标的 48,000 元（截至 2025-01-01，来源：法院）。",
    "en": "One new enforcement of 48,000 yuan (as of 2025-01-01, courts).",
}


@pytest.fixture
def loan(bank: Bank, client: Client) -> str:
    """A loan of somebody who consented to be looked after, with two alerts, a class, decisions, and a book that was kept."""
    forget_alerts(bank)
    kept_book(bank)
    desk = drawn(client)
    desk.pay("2024-07-05T09:00:00", 40_600)
    client.consent_id(GOOD, purpose="post_loan_management")
    decided(client, GOOD, "approve")
    subject = subject_of(bank, GOOD)
    raised(bank, [
        sighting(desk.loan, subject=subject, level=Level.RED, signal="court_enforced", village="V1", said=COURT),
        sighting(desk.loan, subject=subject, village="V1", said=SAID),
        sighting("LN-1002", subject=subject_of(bank, LATE), village="V1", said=SAID),
    ])  # fmt: skip
    classed(bank, desk.loan, subject_id=subject)
    return desk.loan


def kept_book(bank: Bank, months: int = 12, loans: int = 600) -> None:
    """A book of so many loans over so many month ends, whole and of a village, some of them late and later."""
    ends, chance = month_ends(AS_OF, months), np.random.default_rng(5)
    code, drawn_in = np.arange(1, loans + 1), chance.integers(-6, months - 1, loans)
    late_from = np.where(chance.random(loans) < 0.08, drawn_in + chance.integers(2, 9, loans), 99)
    balance, none = chance.integers(5, 60, loans) * 100_000, np.zeros(loans, dtype=np.int64)
    books = []
    for month, end in enumerate(ends):
        dpd = np.clip(month - late_from, 0, None) * 30
        state = np.where(drawn_in <= month, STATES.index(State.ACTIVE), STATES.index(State.UNDRAWN))
        bucket = np.digitize(dpd, [1, 31, 61, 91])
        owed = np.where(dpd > 0, balance // 10, 0)
        books.append(WholeBook(
            end, code, code, state, dpd, bucket, owed, balance, balance, month - drawn_in, none > 0, none, none, none > 0
        ))  # fmt: skip
    labels = {
        "amount granted": chance.choice(["to 30,000", "to 50,000", "to 100,000"], loans).tolist(),
        "segment": chance.choice(["small", "rest"], loans).tolist(), "village": [f"V{k % 12}" for k in range(loans)],
    }  # fmt: skip
    here = np.flatnonzero(code % 12 == 2)
    part = portfolio(
        [book.take(here) for book in books], {k: [v[row] for row in here.tolist()] for k, v in labels.items()}
    )
    with tenant_transaction(bank.database, "city") as connection:
        for name, view in (("", portfolio(books, labels)), ("village:V1", part)):
            keep(connection, "city", PORTFOLIO, name, ends[-1], msgspec.json.encode(view), NOW)


def drawn_pictures(page: Page) -> int:
    """How many pictures of a page are there, drawn."""
    page.wait_for_load_state("networkidle")
    found = page.locator("figure img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert all(found), found
    return len(found)


def test_a_borrower_is_read_from_the_inbox_and_the_number_revealed_for_a_reason(
    bank: Bank, opened: Opened, loan: str, tmp_path: Path
) -> None:
    page = opened("ada", Role.RISK_OFFICER)
    page.goto("/console/inbox")
    page.click(f"tbody a:has-text('{loan}') >> nth=0")
    expect(page.locator("h1")).to_contain_text("Borrower 330*")
    assert drawn_pictures(page) == 1
    assert sound(page) == []
    picture(page, "borrower", tmp_path)
    assert GOOD not in page.content()
    page.click("text=Show the whole number")
    page.fill("textarea[name=reason]", WHY)
    page.click("text=Show it once")
    expect(page.locator("main")).to_contain_text(GOOD)
    assert GOOD not in page.url
    assert sound(page) == []
    page.click("text=Back")
    assert GOOD not in page.content()
    auditor = opened("zhao", Role.AUDITOR)
    auditor.goto("/console/audit/access?purpose=post_loan_management")
    expect(auditor.locator("main")).to_contain_text(WHY)


def test_a_village_and_the_book_are_read_and_a_class_is_confirmed(
    bank: Bank, opened: Opened, loan: str, tmp_path: Path
) -> None:
    found_wanting(bank, "city")
    page = opened("ada", Role.RISK_OFFICER)
    page.goto("/console/inbox")
    page.click("tbody a:has-text('V1') >> nth=0")
    expect(page.locator("h1")).to_contain_text("Village V1")
    assert drawn_pictures(page) == 1
    assert sound(page) == []
    page.click("nav >> text=Loan book")
    assert drawn_pictures(page) == 4
    assert sound(page) == []
    picture(page, "portfolio", tmp_path)
    page.click("text=Risk classes")
    assert sound(page) == []
    row = page.locator("tr", has_text=loan)
    row.locator("button").click()
    expect(page.locator("tr", has_text=loan)).to_have_count(0)
    page.goto("/console/portfolio/issues")
    assert sound(page) == []
    page.locator("input[name=reason]").first.fill("More young people apply.")
    page.locator("button:has-text('Close')").first.click()
    page.click("text=Closed ones too")
    expect(page.locator("main")).to_contain_text("More young people apply.")


@pytest.mark.usefixtures("loan")
def test_the_same_pages_on_a_phone_in_chinese_and_without_a_script(bank: Bank, opened: Opened) -> None:
    page = opened("ada", Role.RISK_OFFICER, "zh-CN", 390, script=False)
    case = stored(bank)["LN-1002", "ss_stop"].case_id
    for address in (f"borrowers/{case}", "villages/V1", "portfolio", "portfolio/classes", "portfolio/issues"):
        assert page.goto(f"/console/{address}").ok  # type: ignore[union-attr]
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 391, (address, wide)


def test_ten_thousand_alerts_are_told_page_by_page(bank: Bank, opened: Opened) -> None:
    forget_alerts(bank)
    levels = list(Level)
    raised(bank, [
        sighting(f"N{k:05d}", subject=k + 1, level=levels[k % 3], village=f"V{k % 50}") for k in range(MANY)
    ], NOW - DAY)  # fmt: skip
    page = opened("ada", Role.RISK_OFFICER)
    page.goto("/console/inbox")
    expect(page.locator(".figures b").first).to_have_text("3,333")
    assert sound(page) == []
    page.click(".figures a >> nth=0")
    first = page.locator("tbody tr").first.inner_text()
    assert page.locator("tbody tr").count() == 50
    page.click("[rel=next]")
    assert page.locator("tbody tr").first.inner_text() != first
    assert page.locator("tbody tr").count() == 50
    page.goto("/console/inbox?village=V7&level=red")
    assert page.locator("tbody tr").count() == 50
    page.click("[rel=next]")
    assert page.locator("tbody tr").count() == MANY // 150 - 50
    page.locator("input[type=checkbox][name=alert]").first.check()
    page.fill(".bulk [name=reason]", "Seen.")
    page.click(".bulk button")
    expect(page.locator(".told.good")).to_contain_text("Done about 1 alerts")
    forget_alerts(bank)
