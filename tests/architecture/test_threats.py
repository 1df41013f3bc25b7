"""The table of threats: each door has its own, and each answer is held by tests that there are."""

from __future__ import annotations

from tests.architecture.proofs import AGAIN, THREATS_PAGE, missing_tests, threats, threats_page
from tests.architecture.test_guards import text_of

TABLE = threats()


def test_every_test_that_is_named_exists() -> None:
    assert missing_tests(TABLE.named()) == []


def test_every_door_and_every_threat_is_told_in_full() -> None:
    assert {door.code for door in TABLE.doors} == {
        "api",
        "console",
        "host",
        "files",
        "outside",
        "store",
        "chain",
    }
    for door in TABLE.doors:
        assert door.zh, door.code
        for threat in door.threats:
            assert all((threat.who, threat.threat, threat.answer.endswith("."), threat.tests)), threat
    answers = [threat.answer for door in TABLE.doors for threat in door.threats]
    assert len(set(answers)) == len(answers)


def test_the_page_is_that_of_the_table() -> None:
    assert text_of(THREATS_PAGE) == threats_page(TABLE), AGAIN
