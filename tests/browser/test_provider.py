"""Signing in at an identity provider, in a browser that keeps to the policy of the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from serving.access.model import Role
from serving.access.provider import link
from tests.serving.console.desk import person
from tests.serving.console.test_provider import console, issuer
from tests.serving.world import Bank

__all__ = ["console", "issuer"]
pytestmark = [pytest.mark.campaign]


def test_the_way_to_the_provider_and_back_is_open(
    chromium: Browser, bank: Bank, issuer: str, console: str
) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    link(bank.database, "city", "ada", issuer, "ada@bank", bank.clock())
    for script in (True, False):
        context = chromium.new_context(base_url=console, java_script_enabled=script)
        page = context.new_page()
        page.goto("/console/inbox")
        page.click("form[action$='/sign-in/provider'] button")
        page.wait_for_url(f"{issuer}/**")
        page.fill("[name=sub]", "ada@bank")
        page.click("button")
        page.wait_for_url("**/console/inbox")
        context.close()
