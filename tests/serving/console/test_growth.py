"""No page asks the store more often because there is more to tell."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from serving.access.model import Role
from serving.watch.signals import Level
from tests.serving.alerts.desk import forget_alerts, name_of, raised, sighting, stored
from tests.serving.analytics.desk import found_wanting, kept_reports
from tests.serving.cases.desk import decided
from tests.serving.classes.desk import classed
from tests.serving.console.conftest import Sign
from tests.serving.console.counting import statements
from tests.serving.console.desk import Guest, person
from tests.serving.feeding import subject_of
from tests.serving.loans.desk import drawn
from tests.serving.world import GOOD, MIDDLE, Bank, Client

MANY = 24


pytestmark = pytest.mark.usefixtures("nothing_promised")


@pytest.fixture(autouse=True)
def empty(bank: Bank) -> Iterator[None]:
    """No alert is left of another test."""
    forget_alerts(bank)
    yield
    forget_alerts(bank)


def more(bank: Bank, client: Client, count: int) -> None:
    """So many alerts of one borrower and of others, classes, issues, people, and a few loans."""
    subject = subject_of(bank, GOOD)
    levels = list(Level)
    raised(bank, [
        sighting(f"L-{k}", subject=subject if k % 2 else k, level=levels[k % 3], village="V1") for k in range(count)
    ])  # fmt: skip
    for k in range(count):
        classed(bank, f"L-{k}", subject_id=subject)
    for _ in range(count // 8 + 1):
        decided(client, MIDDLE, "refer")
    for k in range(min(count, 3)):
        found_wanting(bank, "city")
        person(bank, f"officer {count} {k}", Role.RISK_OFFICER)
        drawn(client)


def pages(bank: Bank) -> list[str]:
    """Every page of the officer's, the administrator's too."""
    case: UUID = stored(bank)["L-1", "ss_stop"].case_id
    return [
        "/", "/inbox", "/inbox?level=red", f"/alerts/{name_of(bank, 'L-1')}", f"/borrowers/{case}", "/villages/V1",
        "/portfolio", "/portfolio/classes", "/portfolio/issues", "/cases", "/disputes",
    ]  # fmt: skip


def asked(guest: Guest, path: str) -> int:
    """How many statements a page takes once it is warm: the fewer of two, for some are kept for seconds."""
    assert guest.get(path).status_code == 200, path
    counts = []
    for _ in range(2):
        with statements() as sent:
            guest.get(path)
        counts.append(len(sent.texts))
    return min(counts)


def test_no_page_asks_the_store_more_often_for_more_rows(bank: Bank, client: Client, signed: Sign) -> None:
    kept_reports(bank)
    ada, root, zhao = (
        signed(name, role)
        for name, role in (("ada", Role.RISK_OFFICER), ("root", Role.ADMINISTRATOR), ("zhao", Role.AUDITOR))
    )

    def all_pages() -> dict[str, int]:
        theirs = [(ada, path) for path in pages(bank)]
        theirs += [(root, "/users"), (zhao, "/audit"), (zhao, "/audit/access"), (zhao, "/audit/deeds")]
        return {path: asked(guest, path) for guest, path in theirs}

    more(bank, client, 4)
    few = all_pages()
    assert few[f"/alerts/{name_of(bank, 'L-1')}"] >= 6, "what is counted is what is sent"
    size = len(ada.get("/inbox").text)
    forget_alerts(bank)
    more(bank, client, MANY)
    assert len(ada.get("/inbox").text) > 2 * size
    many = all_pages()
    assert list(many.values()) == list(few.values()), (few, many)
