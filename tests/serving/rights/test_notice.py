"""The notice says what, why, from which sources, with which rights; as JSON and as a page without scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from uuid import UUID, uuid4

import pytest

from features.contracts.model import Text
from serving.policy.load import CITY, policy_from_yaml
from serving.rights.notice import Notice, NoticeReason, Right
from serving.rights.page import render
from tests.serving.cases.desk import case_of, decide, decided
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, Client, problem

HOSTILE = "<script>alert('x')</script><img src=x onerror=y>&amp;"


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def tags(page: str) -> Tags:
    found = Tags()
    found.feed(page)
    return found


@pytest.mark.parametrize(
    ("number", "outcome"), [(GOOD, "approve"), (MIDDLE, "refer"), (LATE, "decline"), (DISHONEST, "decline")]
)
def test_a_notice_tells_the_answers_reasons_in_order(client: Client, number: str, outcome: str) -> None:
    name = decided(client, number, outcome)
    answer = client.ask("GET", f"/v1/decisions/{name}").json()
    told = client.ask("GET", f"/v1/decisions/{name}/notice").json()
    assert (told["outcome"], told["kind"], told["lender"]) == (outcome, "system", "City bank")
    assert [r["code"] for r in told["reasons"]] == [r["code"] for r in answer["reasons"]][:4]
    assert told["score"]["grade"] == answer["grade"]
    assert (told["score"]["grades"], told["score"]["as_of"]) == (10, answer["as_of"])
    assert bool(told["offer"]) == (outcome == "approve")
    assert 1 <= len(told["factors"]) <= 4
    sources = {source["dataset"]: source for source in told["sources"]}
    assert {name for name, source in sources.items() if source["missing"]} == {
        key.partition("@")[0] for key in answer["missing_sources"]
    }
    assert [right["id"] for right in told["rights"]] == [
        "review",
        "dispute",
        "report",
        "statement",
        "complaint",
    ]
    assert "15" in told["rights"][0]["en"]
    assert "12378" in told["rights"][-1]["zh"]
    assert bool(told["helps"]) == (number == MIDDLE)


def test_the_page_has_both_languages_and_nothing_that_runs_or_is_fetched(client: Client) -> None:
    name = decided(client, LATE, "decline")
    got = client.ask("GET", f"/v1/decisions/{name}/notice", headers={"Accept": "text/html"})
    assert got.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in got.headers["content-security-policy"]
    told = client.ask("GET", f"/v1/decisions/{name}/notice").json()
    for reason in told["reasons"]:
        assert reason["zh"] in got.text
        assert reason["en"].split("'")[0] in got.text
    found = tags(got.text)
    assert not {"script", "link", "img", "iframe", "form", "object"} & set(found.tags)
    assert not {a for a in found.attributes if a.startswith("on") or a in {"src", "href"}}
    assert "@media print" in got.text
    assert "url(" not in got.text


def test_every_text_of_a_notice_is_escaped() -> None:
    bad = Text(HOSTILE, HOSTILE)
    notice = Notice(
        1, UUID(int=1), "system", None, HOSTILE, bad, HOSTILE, 1, "decline", bad, "2025-01-01",
        (NoticeReason(HOSTILE, HOSTILE, HOSTILE),), (), None, None, (), (bad,), (Right("x", "y", HOSTILE, HOSTILE),),
    )  # fmt: skip
    page = render(notice)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_a_persons_decision_is_told_as_one_and_offers_no_second_review(client: Client) -> None:
    name = decided(client, MIDDLE, "refer")
    linked = decide(client, case_of(client, name)["case_id"]).json()["linked_id"]
    told = client.ask("GET", f"/v1/decisions/{linked}/notice").json()
    assert (told["kind"], told["parent_id"], told["outcome"]) == ("person", name, "approve")
    assert told["reasons"][0]["code"] == "RV_INCOME_PROVED"
    assert told["offer"]["limit_fen"] == 1_000_000
    assert "review" not in {right["id"] for right in told["rights"]}
    page = client.ask("GET", f"/v1/decisions/{linked}/notice", headers={"Accept": "text/html"}).text
    assert "decided by a person" in page


def test_reasons_of_people_say_what_counts_and_never_internal_standards() -> None:
    from serving.cases.reasons import person_reasons

    vague = re.compile(r"内部|评分(不足|未达|过低)|internal|qualifying|insufficient score", re.IGNORECASE)
    for reason in person_reasons().values():
        assert not vague.search(reason.zh + reason.en)
        assert re.search(r"[一-鿿]", reason.zh)
        assert not re.search(r"[一-鿿]", reason.en)
    codes = {rule.code for rule in policy_from_yaml(CITY).rules}
    assert not codes & set(person_reasons()), "a person's reasons are told apart from the policy's"


def test_refusals(client: Client) -> None:
    name = decided(client, GOOD, "approve")
    problem(client.ask("GET", f"/v1/decisions/{uuid4()}/notice"), 404, "unknown_decision")
    problem(client.as_("stranger").ask("GET", f"/v1/decisions/{name}/notice"), 404, "unknown_decision")
    problem(client.as_("administrator").ask("GET", f"/v1/decisions/{name}/notice"), 403, "not_permitted")
