"""What is promised and what of it is drawn, as commands over a bank's own store."""

from __future__ import annotations

from uuid import uuid4

from tests.serving.cases.test_cases_cli import told, yidai
from tests.serving.offers.desk import draw, line, offered, shown
from tests.serving.world import Bank, Client


def test_offers_are_listed_by_their_end_and_lines_by_when_they_are_due(client: Client, bank: Bank) -> None:
    waiting, taken = offered(client), line(client)
    every = told(bank, "auditor", "offers", "list")
    assert [(each["decision_id"], each["state"]) for each in every] == [
        (waiting, "open"),
        (taken, "accepted"),
    ]
    assert [each["decision_id"] for each in told(bank, "auditor", "offers", "list", "--state", "open")] == [
        waiting
    ]
    bank_years = str(40 * 365)
    due = told(bank, "auditor", "offers", "list", "--due-days", bank_years)
    assert [each["decision_id"] for each in due] == [taken]
    code, text = yidai(bank, "auditor", "offers", "list")
    assert code == 0
    assert "20,000.00" in text


def test_an_offer_is_shown_as_over_http_and_for_people_with_every_payment(client: Client, bank: Bank) -> None:
    name = line(client)
    draw(client, name, 500_000)
    assert told(bank, "auditor", "offers", "show", name) == shown(client, name)
    code, text = yidai(bank, "auditor", "offers", "show", name)
    assert code == 0
    for part in ("accepted", "bound by requested", "annual_rate_ppm: 54000", "5000.0", "逾期"):
        assert part in text, part
    assert [line.split("\t")[0] for line in text.splitlines()].count("12") == 1


def test_a_state_that_is_none_and_an_offer_that_is_not_there_are_told(bank: Bank) -> None:
    code, text = yidai(bank, "auditor", "offers", "list", "--state", "lost")
    assert (code, "accepted" in text) == (2, True)
    code, text = yidai(bank, "auditor", "offers", "show", str(uuid4()))
    assert (code, "Compare the id" in text) == (2, True)
