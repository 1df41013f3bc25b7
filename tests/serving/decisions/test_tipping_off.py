"""Nobody is told that money laundering is suspected: not by code, not in words; reviewer and receipt see all."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.serving.cases.desk import case_of, requested, view
from tests.serving.policy.documents import findings
from tests.serving.world import GOOD, Client

SUSPICION = re.compile(
    r"launder|suspic|suspect|sanction|terror|\bAML|AML_|洗钱|可疑|疑似|名单|命中", re.IGNORECASE
)
FOUND: list[dict[str, str]] = [
    {"identity": "passed"}, {"identity": "passed", "aml": "possible"}, {"identity": "passed", "aml": "hit"},
]  # fmt: skip


def decided(client: Client, checks: dict[str, str]) -> dict[str, Any]:
    """An application with these results of the bank's own checks."""
    return dict(client.decide(GOOD, client.consent_id(GOOD), checks=checks).json())


@pytest.mark.parametrize("checks", FOUND, ids=["not checked", "possible", "hit"])
def test_neither_answer_nor_notice_tells_of_a_suspicion(client: Client, checks: dict[str, str]) -> None:
    made = decided(client, checks)
    reasons = made["reasons"]
    assert len(reasons) == 1
    assert not SUSPICION.search(json.dumps(reasons, ensure_ascii=False))
    name = made["decision_id"]
    notice = client.ask("GET", f"/v1/decisions/{name}/notice").json()
    assert [each["code"] for each in notice["reasons"]] == [each["code"] for each in reasons]
    assert not SUSPICION.search(json.dumps(notice["reasons"] + [notice["said"]], ensure_ascii=False))
    page = client.ask("GET", f"/v1/decisions/{name}/notice", headers={"Accept": "text/html"}).text
    assert not SUSPICION.search(page)


def test_who_was_not_checked_is_told_what_an_open_check_is_told_and_never_what_a_match_is(
    client: Client,
) -> None:
    unchecked, possible, hit = (decided(client, checks) for checks in FOUND)
    assert [each["outcome"] for each in (unchecked, possible, hit)] == ["refer", "refer", "decline"]
    told = [[(r["code"], r["zh"], r["en"]) for r in each["reasons"]] for each in (unchecked, possible, hit)]
    assert told[0] == told[1]
    assert told[0][0][0] == "CHECKS_OPEN"
    assert told[2][0][0] == "CHECKS_NOT_COMPLETED"


@pytest.mark.parametrize(
    ("checks", "rule", "actual"),
    [(FOUND[0], "ID-03", "NO_RECORD"), (FOUND[1], "ID-04", "possible"), (FOUND[2], "ID-03", "hit")],
)
def test_the_reviewer_and_the_receipt_see_what_was_found(
    client: Client, checks: dict[str, str], rule: str, actual: str
) -> None:
    made = decided(client, checks)["decision_id"]
    requested(client, made)
    seen = view(client, case_of(client, made)["case_id"])["evidence"]["rules"]
    assert {each["id"]: each["actual"] for each in seen}[rule] == [actual]
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{made}/receipt").json()
    struck = {each["id"]: each["actual"] for each in receipt["rules"] if each["effect"] != "pass"}
    assert struck[rule] == [actual]


def test_a_policy_that_would_tell_is_refused() -> None:
    def words(document: dict[str, Any]) -> None:
        document["gates"][0]["rules"][2].update(en="Found on a list against money laundering")
        document["gates"][0]["rules"][3].update(code="AML_OPEN")
        del document["gates"][0]["rules"][2]["unknown"]

    found = {(each.code, each.place) for each in findings(words)}
    assert found == {("tipping_off", "ID-03"), ("tipping_off", "ID-04"), ("unknown_told", "ID-03")}
