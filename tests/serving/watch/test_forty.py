"""Each of the forty signals at its threshold, just beside it, and without the value that it cannot do without."""

from __future__ import annotations

import pytest

from features.contracts.documents import read_yaml
from serving.alerts.handling import playbooks
from serving.watch.document import SignalsDocument
from serving.watch.evaluate import evaluate, raised
from serving.watch.signals import SHIPPED
from tests.serving.watch.forty import FORTY, Line
from tests.serving.watch.rows import Row, columns

DOCUMENT = read_yaml(SHIPPED, SignalsDocument)
SIGNALS = {signal.code: signal for signal in DOCUMENT.signals}
IDS = [f"{line.number}-{line.code}-{line.level}" for line in FORTY]


def said(code: str, row: Row) -> str:
    """What the shipped signal says of one row: a level, ``none`` or ``skipped``."""
    signal = SIGNALS[code]
    found = raised(signal, columns([row], signal.reads))
    if found.skipped[0]:
        return "skipped"
    place = int(found.level[0])
    return signal.levels[place].level.value if place >= 0 else "none"


@pytest.mark.parametrize("line", FORTY, ids=IDS)
def test_it_is_raised_at_its_threshold(line: Line) -> None:
    assert said(line.code, line.at) == line.level


@pytest.mark.parametrize("line", FORTY, ids=IDS)
def test_just_beside_its_threshold_it_is_not(line: Line) -> None:
    assert said(line.code, line.beside) == line.still


@pytest.mark.parametrize("line", [line for line in FORTY if line.without])
def test_without_a_value_that_decides_it_is_skipped_and_never_read_as_zero(line: Line) -> None:
    row = {name: value for name, value in line.at.items() if name != line.without}
    assert said(line.code, row) == "skipped"


@pytest.mark.parametrize("code", SIGNALS)
def test_where_nothing_is_known_it_is_skipped(code: str) -> None:
    assert said(code, {}) == "skipped"


def test_every_one_of_the_forty_is_shipped_under_its_number() -> None:
    shipped = {signal.number: signal.code for signal in DOCUMENT.signals if signal.number <= 40}
    assert shipped == {line.number: line.code for line in FORTY}
    assert sorted(shipped) == list(range(1, 41))


def test_the_groups_are_those_of_the_yardstick() -> None:
    of = {signal.number: signal.group.value for signal in DOCUMENT.signals}
    assert {n for n, group in of.items() if group == "repayment"} == {1, 2, 3, 4, 5}
    assert {n for n, group in of.items() if group == "conduct"} == {10, 11, 12, 13, 14}
    assert {n for n, group in of.items() if group == "village"} == {38}


def test_a_hit_says_what_to_do_and_what_is_expected_by_when() -> None:
    rows = [dict(line.at) for line in FORTY]
    outcome = evaluate(DOCUMENT, columns(rows, DOCUMENT.reads))
    assert {hit.signal for hit in outcome.hits} == {line.code for line in FORTY}
    for hit in outcome.hits:
        assert hit.action_zh
        assert hit.action_en
        assert hit.expects is not None
        assert hit.expects.zh
        assert hit.expects.en
        assert hit.playbook in {book.code for book in playbooks().playbooks}
