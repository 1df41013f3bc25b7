"""The auditor's replay, and the administrator's people, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from serving.access.model import Role
from serving.log.operations import seal_all
from tests.browser.conftest import Opened, picture, sound
from tests.serving.cases.desk import decided
from tests.serving.world import GOOD, Bank, Client

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("nothing_promised")]


def test_a_decision_is_found_by_a_number_replayed_and_the_log_verified(
    bank: Bank, client: Client, opened: Opened, tmp_path: Path
) -> None:
    made = decided(client, GOOD, "approve")
    seal_all(bank.settings, bank.database, bank.clock())
    page = opened("zhao", Role.AUDITOR)
    page.click("nav >> text=Audit")
    assert sound(page) == []
    page.fill("[name=number]", GOOD)
    page.keyboard.press("Enter")
    page.click(f"text={made}")
    assert GOOD not in page.url
    page.click("text=Replay and compare")
    expect(page.locator(".told.good")).to_contain_text("The same to the byte")
    assert sound(page) == []
    picture(page, "replay", tmp_path)
    page.goto("/console/audit/log")
    page.click("button.main")
    expect(page.locator(".told.good")).to_contain_text("Every row is as it was sealed")
    page.click("text=Who saw what")
    assert sound(page) == []
    expect(page.locator("main")).to_contain_text("zhao")


def test_an_administrator_lets_somebody_in(opened: Opened, tmp_path: Path) -> None:
    root, name = opened("root", Role.ADMINISTRATOR), "new officer"
    root.click("nav >> text=People")
    assert sound(root) == []
    picture(root, "people", tmp_path)
    root.fill("[name=name]", name)
    root.check("input[value=risk_officer]")
    root.click("text=Create")
    first = root.inner_text("pre")
    root.click("text=Back")
    assert sound(root) == []
    root.click("text=Sign out")
    root.fill("[name=name]", name)
    root.fill("[name=password]", first)
    root.keyboard.press("Enter")
    expect(root.locator("h1")).to_have_text("Change the password")
    root.fill("[name=old]", first)
    root.fill("[name=new]", "a sentence of my own")
    root.keyboard.press("Enter")
    expect(root.locator("nav")).to_contain_text("Alerts")
