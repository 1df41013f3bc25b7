"""Calls that are checked together are told what each would be told alone, and bring the same rows."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from features.timeline.feed import CheckedFeed
from serving.access.model import Actor, Permission, Role
from serving.records.lines import read_lines
from serving.records.together import Call, Checked, check_calls
from tests.serving.records.sending import case, sent, versions
from tests.serving.world import MIDDLE, PLAN, Bank, Client, number_of

SENDER = Actor(UUID(int=1), "sender", "bank", frozenset({Role.INTEGRATION_ENGINEER})).allowed(
    Permission.SEND_RECORDS
)
BROKEN = number_of(8)[:-1] + "?"
PAPER = {
    "id_number": "", "entry": "P1", "name": "某某", "birth_date": "1980-01-01", "bought_on": "2020-01-01", "kind": "drone",
    "published_at": "2020-02-01T09:00:00",
}  # fmt: skip
LINES = (
    case(number_of(1), "A"), case(number_of(2), "B", "2023-01-05"), case(number_of(1), "A", kind="civil"), case(BROKEN, "C"),
    case(number_of(3), "D", kind="gossip", amount=-5), case(number_of(3), "E", published_at=""), case(number_of(3), "F", filed_on=""),
    case(number_of(4), "G", published_at="2019-01-01T00:00:00"), {"surprise": 1}, "no json", "",
    PAPER, {**PAPER, "id_number": number_of(5)}, {**PAPER, "kind": "cart"},
)  # fmt: skip


def call(dataset: str, name: str, lines: tuple[Any, ...]) -> Call:
    """What one call sent."""
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    contract = PLAN.contracts[dataset]
    return Call(SENDER, contract, name, read_lines(contract, body, name))


def rows(feed: CheckedFeed, chosen: Any) -> list[tuple[Any, ...]]:
    """Chosen rows of a feed with all that is stored of them."""
    columns = [feed.valid_from, feed.valid_to, feed.known_from, feed.imputed, *feed.columns.values()]
    told = list(zip(feed.numbers, *(column.tolist() for column in columns), strict=True))
    return [row for row, own in zip(told, chosen.tolist(), strict=True) if own]


def brought(part: Checked, place: int) -> tuple[list[tuple[Any, ...]], list[int]]:
    """The good rows of a call, and the lines on which they came."""
    own = part.came[part.feed.lines] == place
    return rows(part.feed, own), part.numbers[part.feed.lines[own]].tolist()


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(("court_case", "agricultural_machinery_paper")), st.lists(st.sampled_from(LINES), max_size=5)),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_together_is_as_each_alone(drawn: list[tuple[str, list[Any]]]) -> None:
    calls = [call(dataset, f"call-{k}", tuple(lines)) for k, (dataset, lines) in enumerate(drawn)]
    for part in check_calls(calls):
        for place, one in enumerate(part.calls):
            (alone,) = check_calls([one])
            assert brought(part, place) == brought(alone, 0)
            assert part.findings[place] == alone.findings[0]
            assert part.quarantined(place) == alone.quarantined(0)
            told = part.report(place, part.feed.lines >= 0, 0, 0)
            own = alone.report(0, alone.feed.lines >= 0, 0, 0)
            assert (told.accepted, told.held, told.lines) == (own.accepted, own.held, own.lines)


def test_of_the_same_rows_in_calls_at_once_one_is_accepted(client: Client, bank: Bank) -> None:
    before = len(versions(bank, MIDDLE))
    alike = [case(MIDDLE, f"T{k}") for k in range(3)]
    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(lambda k: sent(client, [*alike, case(MIDDLE, f"own{k}"), "{"]), range(8)))
    assert sum(report["accepted"] for report in reports) == 3 + 8
    assert sum(report["repeated"] for report in reports) == 7 * 3
    assert {report["quarantined"] for report in reports} == {1}
    assert all(report["lines"][3]["status"] == "accepted" for report in reports)
    assert len({report["last"] for report in reports}) == 8
    found = versions(bank, MIDDLE)
    assert len(found) == len(set(found)) == before + 11
