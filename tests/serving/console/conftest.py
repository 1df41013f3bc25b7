"""The console of the module's bank."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from serving.access.model import Role
from serving.console.app import create_console
from tests.serving.console.desk import Guest, person
from tests.serving.world import Bank, running

Sign = Callable[[str, Role], Guest]


@pytest.fixture(scope="module")
def console(bank: Bank) -> Iterator[str]:
    """Where the module's console answers."""
    with running(create_console(bank.settings, bank.database, bank.clock)) as address:
        yield address


@pytest.fixture
def guest(console: str) -> Iterator[Guest]:
    """Somebody who has not signed in."""
    with httpx.Client(base_url=console, timeout=30) as http:
        yield Guest(http)


@pytest.fixture
def signed(bank: Bank, console: str) -> Iterator[Sign]:
    """People who sign in, each in a browser of its own."""
    browsers: list[httpx.Client] = []

    def sign(name: str, role: Role) -> Guest:
        person(bank, name, role)
        browsers.append(httpx.Client(base_url=console, timeout=30))
        guest = Guest(browsers[-1])
        assert guest.sign_in(name).status_code == 303
        return guest

    yield sign
    for browser in browsers:
        browser.close()
