"""Lists of persons: approved like a policy, kept without a number, in force for a year at most, and replayed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from features.canonical import canonical_bytes
from features.contracts.model import Text
from features.errors import Integrity, YidaiError
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.governance.committee import list_document
from serving.policy.lists import ListKind, read_list
from serving.registry.model import Kind
from serving.registry.service import WrongSlot
from tests.serving.policy.documents import changed
from tests.serving.world import GOOD, LATE, Bank, Client

TITLE = Text("禁入名单", "Persons to whom this bank does not lend")
ENTRY = {"subject": "0" * 64, "effective_from": "2025-01-01", "effective_to": "2025-06-01"}


def denied(bank: Bank, folder: Path, *rows: str, name: str = "deny") -> bytes:
    """A list of these persons."""
    file = folder / "persons.csv"
    file.write_text("\n".join(["id_number,effective_from,effective_to", *rows]), encoding="utf-8")
    return list_document(bank.settings, name, ListKind.DENY, TITLE, "bank", file)


def codes(client: Client, number: str) -> tuple[str, list[str], dict[str, str], UUID]:
    """Outcome, reasons, versions and id of a decision."""
    answer = client.decide(number, client.consent_id(number)).json()
    told = [reason["code"] for reason in answer["reasons"]]
    return answer["outcome"], told, answer["digests"], UUID(answer["decision_id"])


def test_who_is_on_a_list_in_force_is_refused_until_the_entry_ends(
    client: Client, bank: Bank, tmp_path: Path
) -> None:
    assert codes(client, GOOD)[:2] == ("approve", [])
    data = denied(bank, tmp_path, f"{GOOD},2025-01-01,2025-01-05", f"{LATE},2024-06-01,2024-12-31")
    assert GOOD.encode() not in data
    name = bank.approved("list.deny", Kind.LIST, data)
    outcome, told, digests, first = codes(client, GOOD)
    assert (outcome, told, digests["list.deny"]) == ("decline", ["ON_DENY_LIST"], name)
    assert "ON_DENY_LIST" not in codes(client, LATE)[1], "an entry that has ended"
    bank.clock.now += 3 * 86_400_000_000
    outcome, told, digests, second = codes(client, GOOD)
    assert (outcome, told, digests["list.deny"]) == ("approve", [], name)
    bank.approved("list.deny", Kind.LIST, denied(bank, tmp_path))
    for decision in (first, second):
        authority = bank.authority("auditor", Permission.REPLAY)
        (found,) = replay(bank.settings, bank.database, authority, decision)
        assert (found.status, found.differences) == (ReplayStatus.SAME, ())


def test_a_list_that_is_not_in_force_did_not_answer(client: Client, bank: Bank) -> None:
    def asks_another(document: dict[str, Any]) -> None:
        (rule,) = document["gates"][1]["rules"]
        rule["when"]["any"][0]["fact"] = "list.other"
        rule["missing"]["source_down"] = "refer"

    bank.approved("policy", Kind.POLICY, changed(asks_another))
    answer = client.decide(GOOD, client.consent_id(GOOD)).json()
    assert (answer["outcome"], answer["reasons"][0]["kind"]) == ("refer", "unknown")


def test_a_list_goes_into_the_slot_of_its_name_only(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(WrongSlot, match="list 'other'"):
        bank.approved("list.deny", Kind.LIST, denied(bank, tmp_path, name="other"))


@pytest.mark.parametrize(
    ("row", "place"),
    [(f"{GOOD[:-1]}0,2025-01-01,2025-02-01", "line 2"), (",2025-01-01,2025-02-01", "line 2"), (f"{GOOD},,", "entries")],
)  # fmt: skip
def test_a_line_that_is_no_person_or_has_no_days_is_named_and_not_repeated(
    bank: Bank, tmp_path: Path, row: str, place: str
) -> None:
    with pytest.raises(YidaiError) as caught:
        denied(bank, tmp_path, row)
    assert place in caught.value.place
    assert caught.value.remedy
    assert GOOD[:-1] not in str(caught.value)


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d.update(schema=2), "schema 2"),
    (lambda d: d["entries"].append(ENTRY), "stands twice"),
    (lambda d: d["entries"][0].update(subject="x"), "no pseudonym"),
    (lambda d: d["entries"][0].update(effective_to=""), "no day from or to"),
    (lambda d: d["entries"][0].update(effective_to="2024-01-01"), "ends before it begins"),
    (lambda d: d["entries"][0].update(effective_to="2026-01-04"), "REG-IL-19"),
    (lambda d: d["entries"][0].update(effective_to="soon"), "ISO date"),
    (lambda d: d.update(surprise=1), "unknown field"),
]


@pytest.mark.parametrize(("change", "problem"), CHANGES)
def test_a_list_that_may_not_be_used_is_refused(change, problem) -> None:
    document = {
        "schema": 1, "list": "deny", "kind": "deny", "title": {"zh": "名单", "en": "list"}, "source": "bank",
        "entries": [dict(ENTRY)],
    }  # fmt: skip
    assert len(read_list(canonical_bytes(document)).days) == 1
    change(document)
    with pytest.raises(YidaiError, match=problem):
        read_list(canonical_bytes(document))


def test_a_list_is_canonical() -> None:
    with pytest.raises(Integrity, match="canonical"):
        read_list(msgspec.json.encode({
            "schema": 1, "list": "deny", "kind": "deny", "title": {"zh": "名", "en": "li"}, "source": "b", "entries": [],
        }))  # fmt: skip
