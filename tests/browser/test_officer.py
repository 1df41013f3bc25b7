"""The risk officer's day in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from serving.access.model import Role
from serving.watch.signals import Level
from tests.browser.conftest import Opened, picture, sound
from tests.serving.alerts.desk import forget_alerts, kinds, name_of, raised, sighting
from tests.serving.cases.desk import WORDS, case_of, decided
from tests.serving.world import MIDDLE, Bank, Client

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("nothing_promised")]
HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>\u202eyad " + "长" * 300
)


def told(zh: str, en: str) -> dict[str, str]:
    """What an alert says."""
    return {"zh": zh, "en": en, "action_zh": "致电。", "action_en": "Call."}


@pytest.fixture
def alerts(bank: Bank) -> None:
    """Three alerts, one of each level."""
    forget_alerts(bank)
    raised(bank, [
        sighting("LN-1001", subject=1, level=Level.RED, signal="court_enforced", village="V1", said=told(
            "新增被执行案件 1 件，标的 48,000 元（截至 2025-01-01，来源：法院）。",
            "One new enforcement of 48,000 yuan (as of 2025-01-01, courts).")),
        sighting("LN-1002", subject=2, level=Level.ORANGE, village="V1", said=told(
            "社保已停缴 2 个月，此前连续缴纳 31 个月（截至 2025-01-01，来源：社保）。",
            "Social insurance stopped 2 months ago, after 31 months in a row (as of 2025-01-01, social insurance).")),
        sighting("LN-1003", subject=3, level=Level.YELLOW, signal="autopay_fail", village="V2", said=told(
            "90 天内自动扣款失败 1 次（截至 2025-01-01，来源：账户流水）。",
            "One automatic payment failed in 90 days (as of 2025-01-01, account transactions).")),
    ])  # fmt: skip


@pytest.mark.usefixtures("alerts")
def test_the_reddest_alert_is_opened_handled_and_marked(bank: Bank, opened: Opened, tmp_path: Path) -> None:
    page = opened("ada", Role.RISK_OFFICER)
    page.click("nav >> text=Alerts")
    assert sound(page) == []
    picture(page, "inbox", tmp_path)
    page.click("tbody a >> nth=0")
    expect(page.locator("h1")).to_contain_text("Red")
    assert sound(page) == []
    picture(page, "alert", tmp_path)
    page.select_option("select[name=kind]", "call")
    page.fill("textarea[name=reason]", "Called: the wage comes later this month.")
    page.click("button.main")
    expect(page.locator("ol.story")).to_contain_text("the wage comes later")
    assert kinds(bank, name_of(bank, "LN-1001", "court_enforced"))[-1] == "call"


@pytest.mark.usefixtures("alerts")
def test_two_officers_on_one_alert_and_the_second_is_told(bank: Bank, opened: Opened) -> None:
    one, other = opened("ada", Role.RISK_OFFICER), opened("ann", Role.RISK_OFFICER)
    target = f"/console/alerts/{name_of(bank, 'LN-1002')}"
    for page in (one, other):
        page.goto(target)
        page.select_option("select[name=kind]", "visit")
        page.fill("textarea[name=reason]", "Went there.")
    one.click("button.main")
    other.click("button.main")
    expect(other.get_by_role("alert")).to_contain_text("Somebody has just worked on this alert")
    expect(other.locator("textarea[name=reason]")).to_have_value("Went there.")
    expect(other.locator("ol.story")).to_contain_text("Went there.")
    assert kinds(bank, name_of(bank, "LN-1002")).count("visit") == 1


def test_a_referred_case_is_decided_and_a_large_one_by_two(
    opened: Opened, client: Client, tmp_path: Path
) -> None:
    case = case_of(client, decided(client, MIDDLE, "refer", amount_yuan="80000"))["case_id"]
    one, other = opened("ada", Role.RISK_OFFICER), opened("ann", Role.RISK_OFFICER)
    one.goto(f"/console/cases/{case}")
    one.click("text=Take it")
    assert sound(one) == []
    picture(one, "case", tmp_path)
    one.check("input[value=approve]")
    one.fill("[name=limit_yuan]", "60000")
    one.fill("[name=rate_percent]", "12")
    one.select_option("[name=reason_code]", "RV_INCOME_PROVED")
    one.fill("[name=reason]", WORDS)
    one.click("text=Decide >> nth=-1")
    expect(one.locator("main")).to_contain_text("Who proposed it cannot agree")
    other.goto(f"/console/cases/{case}")
    other.get_by_role("button", name="Agree").click()
    expect(other.locator(".told.good")).to_contain_text("Approve")


@pytest.mark.usefixtures("alerts")
def test_a_day_by_keyboard_alone(bank: Bank, opened: Opened) -> None:
    page = opened("ada", Role.RISK_OFFICER)
    page.goto("/console/inbox")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")
    page.focus("select[name=kind]")
    page.keyboard.type("Note")
    page.keyboard.press("Tab")
    page.keyboard.type("Seen by keyboard.")
    while page.evaluate("document.activeElement.className") != "main":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("ol.story")).to_contain_text("Seen by keyboard.")


@pytest.mark.usefixtures("alerts")
def test_every_page_is_useful_without_a_script_on_a_phone_and_in_chinese(
    opened: Opened, tmp_path: Path
) -> None:
    page = opened("ada", Role.RISK_OFFICER, "zh-CN", 390, script=False)
    page.goto("/console/inbox")
    expect(page.locator("h1")).to_have_text("预警")
    assert page.evaluate("1") == 1
    picture(page, "inbox-phone", tmp_path)
    page.check("tbody input >> nth=0")
    page.fill(".bulk [name=reason]", "看过。")
    page.click(".bulk button")
    expect(page.locator(".told.good")).to_contain_text("已处理 1 条")
    page.click("text=English")
    expect(page.locator(".top")).to_contain_text("Alerts")


def test_hostile_evidence_and_notes_stay_text(bank: Bank, opened: Opened) -> None:
    forget_alerts(bank)
    raised(bank, [sighting("L<b>1", said={"zh": HOSTILE, "en": HOSTILE, "action_zh": "", "action_en": ""})])
    page = opened("ada", Role.RISK_OFFICER)
    page.goto(f"/console/alerts/{name_of(bank, 'L<b>1')}")
    page.fill("textarea[name=reason]", HOSTILE[:480])
    page.click("button.main")
    expect(page.locator("ol.story")).to_contain_text("<script>document.title")
    assert "owned" not in page.title()
    assert page.locator("main img").count() == 0


@pytest.mark.usefixtures("alerts")
def test_news_come_by_themselves(bank: Bank, opened: Opened) -> None:
    page = opened("ada", Role.RISK_OFFICER)
    page.goto("/console/inbox")
    raised(bank, [sighting("LN-2001", subject=9, level=Level.RED)])
    expect(page.locator("[data-live]")).to_be_visible(timeout=15_000)
    page.click("[data-live] a")
    expect(page.locator("main")).to_contain_text("LN-2001")


@pytest.mark.usefixtures("alerts")
def test_a_session_that_is_over_leads_back_to_the_page_after_signing_in(bank: Bank, opened: Opened) -> None:
    page = opened("ada", Role.RISK_OFFICER)
    bank.clock.now += 31 * 60_000_000
    page.goto("/console/inbox?level=red")
    expect(page.locator(".told.warn")).to_contain_text("session has ended")
    page.fill("[name=name]", "ada")
    page.fill("[name=password]", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox?level=red")


def test_a_wrong_role_is_told_so(opened: Opened) -> None:
    page = opened("chen", Role.ANALYST)
    expect(page.locator("nav")).not_to_contain_text("Alerts")
    page.goto("/console/inbox")
    expect(page.locator("h1")).to_have_text("You may not do this")
