"""A real Chromium before a real console: people in browsers of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from serving.access.model import Role
from serving.console.app import create_console
from tests.serving.conftest import address, bank, client, consent, nothing_promised, ready_bank, server, store
from tests.serving.console.desk import PASSWORD, person
from tests.serving.world import Bank, running

__all__ = ["address", "bank", "client", "consent", "nothing_promised", "ready_bank", "server", "store"]
Opened = Callable[..., Page]
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, which `make browser` installs; it ends with its module, since while it runs no other test of
    the process may have an event loop of its own.
    """
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium: run `make browser`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def console(bank: Bank) -> Iterator[str]:
    """Where the module's console answers."""
    with running(create_console(bank.settings, bank.database, bank.clock)) as found:
        yield found


@pytest.fixture
def opened(chromium: Browser, bank: Bank, console: str) -> Iterator[Opened]:
    """People who have signed in. A script that fails, or that the policy of the pages forbids, fails the test."""
    contexts, faults = [], []

    def sign(name: str, role: Role, language: str = "en", width: int = 1280, *, script: bool = True) -> Page:
        person(bank, name, role)
        context = chromium.new_context(
            base_url=console,
            locale=language,
            viewport={"width": width, "height": 900},
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        page.goto("/console/sign-in")
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/")
        return page

    yield sign
    for context in contexts:
        context.close()
    assert not faults


def picture(page: Page, name: str, folder: Path) -> None:
    """A picture of a page, into the docs where YIDAI_PICTURES is set and else beside the test's other files."""
    target = PICTURES if os.environ.get("YIDAI_PICTURES") else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target / f"{name}.png", full_page=False)


def sound(page: Page) -> list[str]:
    """What keeps people out of a page: axe's serious and critical findings."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
