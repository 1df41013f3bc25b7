"""Records come one by one: every line is told, what was accepted is kept, and the next decision sees it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from features.identity.numbers import uscc_check_digit
from features.timeline.events import TAIL
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.records.lines import MOST
from serving.store.session import owner_transaction
from tests.serving.feeding import online, rehydrate, subject_of, sweep
from tests.serving.records.sending import case, flushed, send, sent, versions, waiting
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, PLAN, POOR, Bank, Client, number_of, problem

NEWCOMER = number_of(77)
FIRM = "91330106MA2CFAQ85" + uscc_check_digit("91330106MA2CFAQ85")


def replays(bank: Bank, name: str) -> ReplayStatus:
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), UUID(name))
    assert found.differences == ()
    return found.status


def test_every_line_is_told_and_no_value_is(client: Client, bank: Bank) -> None:
    broken = number_of(8)[:-1] + "?"
    lines = [
        case(POOR, "A1"),
        "",
        case(POOR, "A1"),
        "no json",
        case(broken, "A2"),
        {**case(POOR, "A3"), "kind": "gossip", "amount": -5},
        {**case(POOR, "A4"), "surprise": 1},
        '["a list"]',
        {"id_number": POOR, "case_id": "A5", "filed_on": "2024-11-02", "amount": 12.5, "kind": "civil"},
    ]
    got = send(client, lines)
    found = got.json()
    told = {each["line"]: each["status"] for each in found["lines"]}
    assert told == {1: "accepted", 3: "repeated", 4: "quarantined", 5: "quarantined", 6: "quarantined",
                    7: "quarantined", 8: "quarantined", 9: "accepted"}  # fmt: skip
    assert (found["accepted"], found["repeated"], found["quarantined"]) == (2, 1, 5)
    reasons = {each["line"]: each.get("findings", []) for each in found["lines"]}
    assert {(f["field"], f["value_class"]) for f in reasons[6]} == {
        ("kind", "unknown code"),
        ("amount", "below the minimum"),
    }
    assert all(f["remedy"] for each in reasons.values() for f in each)
    assert [f["value_class"] for f in reasons[7]] == ["unknown field"]
    assert "gossip" not in got.text
    assert POOR not in got.text


def test_the_next_decision_sees_an_accepted_record_and_replays(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    found = sent(client, [case(GOOD, "B1")])
    after = client.decide(GOOD, consent).json()
    assert (before["outcome"], after["outcome"]) == ("approve", "decline")
    assert after["reasons"][0]["code"] == "DISHONEST_DEBTOR"
    assert "tail_version" not in before
    assert after["tail_version"] == found["last"]
    for name in (before["decision_id"], after["decision_id"]):
        assert replays(bank, name) is ReplayStatus.SAME
    assert flushed(bank).records >= 1
    assert waiting(bank) == []
    rehydrate(bank)
    again = client.decide(GOOD, consent).json()
    assert again["tail_version"] == after["tail_version"]
    for each in (before, after, again):
        assert replays(bank, each["decision_id"]) is ReplayStatus.SAME
    corrected = sent(client, [case(GOOD, "B1", kind="civil", published_at="2024-12-01T09:00:00")])
    assert corrected["accepted"] == 1
    assert client.decide(GOOD, consent).json()["outcome"] == "approve"
    assert replays(bank, again["decision_id"]) is ReplayStatus.SAME


def test_a_repeated_call_changes_nothing_before_and_after_the_flush(client: Client, bank: Bank) -> None:
    rows = [case(LATE, f"R{k}") for k in range(3)]
    assert sent(client, rows)["accepted"] == 3
    assert (sent(client, rows)["accepted"], sent(client, rows)["repeated"]) == (0, 3)
    before = versions(bank, LATE)
    flushed(bank)
    assert sent(client, rows)["repeated"] == 3
    assert versions(bank, LATE) == before
    assert flushed(bank).records == 0


def test_who_gave_no_consent_is_stored_and_not_online(client: Client, bank: Bank) -> None:
    assert sent(client, [case(NEWCOMER, "N1")])["accepted"] == 1
    assert online(bank, NEWCOMER) is None
    assert len(versions(bank, NEWCOMER)) == 1
    consent = client.consent_id(NEWCOMER)
    assert client.decide(NEWCOMER, consent).json()["outcome"] == "decline"


def test_an_owner_sees_what_came_for_the_firm(client: Client, bank: Bank) -> None:
    client.consent_id(MIDDLE)
    firm = {
        "uscc": FIRM,
        "owner_id_number": MIDDLE,
        "registered_on": "2020-01-01",
        "published_at": "2020-01-02T09:00:00",
    }
    contract = PLAN.contracts["business_registration"]
    row = {name: firm.get(name, "") for name in (contract.subject_field, *contract.names)}
    for each in contract.fields:
        if each.required and not row[each.name]:
            row[each.name] = next(iter(each.codes), "X1")
    found = sent(client, [row], "business_registration")
    assert found["accepted"] == 1, found
    table = online(bank, MIDDLE)[1]["business_registration@owner"]
    assert table.version.tolist() == [TAIL + found["last"]]


def test_refusals(client: Client, bank: Bank) -> None:
    problem(send(client, [], "weather_on_mars"), 404, "unknown_dataset")
    problem(send(client, ["{}"] * (MOST + 1)), 413, "too_many_records")
    problem(send(client.as_("auditor"), []), 403, "not_permitted")
    huge = client.ask("POST", "/v1/records/court_case", content=b"x" * (bank.settings.records_limit + 1))
    problem(huge, 413, "body_too_large")
    assert sent(client, [])["accepted"] == 0


def test_numbers_are_seen_in_the_order_of_commits_under_a_crowd(client: Client, bank: Bank) -> None:
    """Writers for the same people, readers who decide all the while: every receipt replays to the byte."""
    people = (GOOD, LATE, MIDDLE, DISHONEST)
    consents = {number: client.consent_id(number) for number in people}
    names: list[str] = []
    end = threading.Event()

    def decide(k: int) -> None:
        while not end.is_set() and len(names) < 90:
            number = people[k % len(people)]
            got = client.decide(
                number, consents[number], key=f"crowd-{k}-{len(names)}-{threading.get_ident()}"
            )
            assert got.status_code == 201, got.text
            names.append(got.json()["decision_id"])

    def write(k: int) -> int:
        rows = [case(number, f"W{k}-{j}", kind="civil") for j, number in enumerate(people)]
        return int(sent(client, rows)["last"])

    with ThreadPoolExecutor(10) as threads:
        readers = [threads.submit(decide, k) for k in range(3)]
        lasts = list(threads.map(write, range(8)))
        flushed(bank)
        end.set()
        for reader in readers:
            reader.result()
    assert len(set(lasts)) == 8
    numbers = [version - TAIL for version in versions(bank, GOOD) if version > TAIL]
    assert len(numbers) == len(set(numbers))
    assert len(names) > 3
    every = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY))
    found = {str(each.decision_id): each.status for each in every}
    assert {found[name] for name in names} == {ReplayStatus.SAME}


def test_another_process_finds_what_it_was_not_told(client: Client, bank: Bank) -> None:
    """A row that another tenant's call brought, or a crash left behind, is found by the sweep."""
    client.consent_id(POOR)
    sent(client, [case(POOR, "S1")])
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE subject_timeline SET tail = 0 WHERE subject_id = %s", (subject_of(bank, POOR),))
    assert sweep(bank) >= 1
    assert sweep(bank) == 0
    assert Lake(bank.settings.lake_root).flushed() >= 0


@pytest.mark.parametrize("value", [None, True, 1e400, "\ud800", {"nested": 1}, [1]])
def test_any_value_is_accepted_or_told(client: Client, value: object) -> None:
    import json

    body = json.dumps(case(POOR, "V1") | {"amount": value}, allow_nan=True)
    got = client.ask("POST", "/v1/records/court_case", content=body.encode())
    assert got.status_code == 200, got.text
    assert len(got.json()["lines"]) == 1
