"""Owners, due days and playbooks as data: no alert without any of them, and gaps are refused with their place."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from features.calendar import DAY, instant
from features.contracts.documents import read_yaml
from serving.alerts.handling import (
    HANDLING,
    PLAYBOOKS,
    BrokenHandling,
    Handling,
    OwnerRule,
    Playbooks,
    check_handling,
    check_playbooks,
    handling,
    playbooks,
)
from serving.watch.document import SignalsDocument
from serving.watch.signals import SHIPPED, Level


def test_each_shipped_signal_has_the_playbook_that_it_names() -> None:
    codes = {book.code for book in playbooks().playbooks}
    for signal in read_yaml(SHIPPED, SignalsDocument).signals:
        assert signal.playbook in codes, signal.code
        assert playbooks().of(signal.playbook, signal.code).code == signal.playbook
    assert playbooks().of("", "ss_stop").code == "income_visit"
    assert playbooks().of("", "nothing_known").code == "review"


@pytest.mark.parametrize(
    ("day", "off", "due"),
    [
        ("2025-01-02", [], "2025-01-16"),  # Thursday to Thursday, two weekends between
        ("2025-01-04", [], "2025-01-17"),  # a Saturday counts from Monday
        ("2025-01-02", [date(2025, 1, 6), date(2025, 1, 7)], "2025-01-20"),
    ],
)
def test_working_days_leave_out_weekends_and_days_off(day: str, off: list[date], due: str) -> None:
    rules = msgspec.structs.replace(handling(), days_off=tuple(off))
    assert rules.due_at(Level.YELLOW, instant(day)) == instant(due)
    assert rules.due_at(Level.RED, instant(day)) == instant(day) + DAY


def test_the_first_rule_that_fits_says_whose_an_alert_is() -> None:
    owners = (
        OwnerRule("officer:Wang", village="V1"), OwnerRule("officer:Li", product="farm", level=Level.RED),
        OwnerRule("role:risk_officer"),
    )  # fmt: skip
    rules = check_handling(msgspec.structs.replace(handling(), owners=owners))
    assert rules.owner("V1", "farm", Level.RED, "s") == "officer:Wang"
    assert rules.owner("V2", "farm", Level.RED, "s") == "officer:Li"
    assert rules.owner(None, None, Level.YELLOW, "s") == "role:risk_officer"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"owners": []}, "owners"), ({"owners": [{"to": "role:risk_officer", "village": "V1"}]}, "owners"),
        ({"owners": [{"to": "somebody"}]}, "owners"), ({"supervisor": "role:king"}, "owners"),
        ({"due": {"red": {"days": 1}, "orange": {"days": 3}}}, "due.yellow"),
        ({"disposal": {"days": 1, "working_days": 1}}, "disposal"), ({"disposal": {"days": 0}}, "disposal"),
    ],
)  # fmt: skip
def test_rules_with_a_gap_are_refused_with_their_place(change: dict[str, Any], place: str) -> None:
    document = msgspec.to_builtins(read_yaml(HANDLING, Handling)) | change
    with pytest.raises(BrokenHandling) as refused:
        check_handling(msgspec.convert(document, Handling))
    assert refused.value.place.endswith(place)
    assert refused.value.remedy


def test_playbooks_that_leave_a_signal_open_are_refused() -> None:
    books = read_yaml(PLAYBOOKS, Playbooks).playbooks
    for broken in (books[:-1], (*books, books[-1]), (books[0], *books)):
        with pytest.raises(BrokenHandling):
            check_playbooks(Playbooks(1, broken))
