"""A line pays on what was checked today: what is open, or was not checked, pays nothing; what was found freezes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.offers.desk import ask, draw, line, shown
from tests.serving.world import CHECKS, GOOD, Client

AMOUNT = 300_000
HIT = {"identity": "passed", "aml": "hit"}


@pytest.fixture(scope="module")
def name(client: Client) -> str:
    """A line."""
    return line(client)


@pytest.mark.parametrize(
    "checks",
    [
        {},
        {"identity": "passed"},
        {"identity": "inconclusive", "aml": "clear"},
        {"identity": "passed", "aml": "possible"},
    ],
)
def test_what_a_person_has_to_look_at_pays_nothing_and_freezes_nothing(
    client: Client, name: str, checks: dict[str, Any]
) -> None:
    got = draw(client, name, AMOUNT, checks=checks)
    assert (got.status_code, "nothing was paid" in got.text) == (409, True)
    seen = shown(client, name)
    assert (seen["drawn_fen"], seen["frozen_at"]) == (0, None)


def test_a_frozen_line_is_thawed_by_fresh_checks_only_and_on_the_same_day(client: Client, name: str) -> None:
    assert ask(client, name, "reapprove", id_number=GOOD).status_code == 200
    assert draw(client, name, AMOUNT, checks=HIT).status_code == 409
    assert shown(client, name)["frozen_at"]
    assert ask(client, name, "reapprove", id_number=GOOD, checks={}).status_code == 200
    assert ask(client, name, "reapprove", id_number=GOOD, checks=HIT).status_code == 200
    assert shown(client, name)["frozen_at"]
    assert draw(client, name, AMOUNT).status_code == 409
    assert ask(client, name, "reapprove", id_number=GOOD, checks=CHECKS).status_code == 200
    assert shown(client, name)["frozen_at"] is None
    assert draw(client, name, AMOUNT).status_code == 201
