"""The first page: the doors of each person, and what waits behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from serving.access.model import Role
from serving.watch.signals import Level
from tests.serving.alerts.desk import forget_alerts, raised, sighting
from tests.serving.cases.desk import case_of, decided
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.world import MIDDLE, Bank, Client

DAY = 86_400_000_000
pytestmark = pytest.mark.usefixtures("nothing_promised")


@pytest.fixture
def alerts(bank: Bank) -> Iterator[None]:
    """Two alerts, one of them red."""
    forget_alerts(bank)
    raised(bank, [sighting("L-A", subject=1, level=Level.RED), sighting("L-B", subject=2)])
    yield
    forget_alerts(bank)


def door(guest: Guest, name: str) -> str:
    """What a door says."""
    found = re.search(rf'<a href="/console/{name}"><b>.*?</a>', guest.get("/").text, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


@pytest.mark.usefixtures("alerts")
def test_an_officer_sees_what_waits_what_is_late_and_what_wants_a_second_person(
    bank: Bank, client: Client, signed: Sign
) -> None:
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    assert door(ada, "inbox").endswith("2 wait · 1 red")
    assert door(ada, "disputes").endswith("0 wait")
    case = str(case_of(client, decided(client, MIDDLE, "refer", amount_yuan="80000"))["case_id"])
    assert door(ada, "cases").endswith("1 wait")
    ada.post(f"/cases/{case}/take")
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', ada.get(f"/cases/{case}").text)
    assert seen
    fields = {
        "reason_code": "RV_INCOME_PROVED",
        "reason": "Saw the contract.",
        "limit_yuan": "60000",
        "rate_percent": "12",
    }
    sent = ada.post(f"/cases/{case}/decide", outcome="approve", seen=seen[1], **fields)
    assert sent.status_code == 303, text_of(sent)
    assert door(ada, "cases").endswith("1 wait"), "who proposed it is not the second person"
    assert door(ann, "cases").endswith("1 wait · 1 for a second person")
    bank.clock.now += 30 * DAY
    late = signed("amy", Role.RISK_OFFICER)
    assert "1 overdue" in door(late, "cases")


def test_nobody_sees_a_door_that_does_not_open(signed: Sign) -> None:
    text = signed("chen", Role.ANALYST).get("/").text
    assert "/console/models" in text
    assert "/console/inbox" not in text
