"""What a night works out of the book is kept, shown as it stands, and not worked out again where nothing changed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from features.canonical import canonical_bytes
from serving.analytics.nightly import report_book
from serving.registry.model import Kind
from tests.serving.analytics.desk import kept_reports
from tests.serving.cases.test_cases_cli import yidai
from tests.serving.classes.rows import DOCUMENT
from tests.serving.feeding import ingest
from tests.serving.watch.test_watch import DUE, LOAN
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, Client, problem

MADE = "2024-06-01T09:00:00"
BORROWERS = {"N1": (GOOD, 9_000), "N2": (LATE, 9_000), "N3": (MIDDLE, 200_000)}


@pytest.fixture(scope="module", autouse=True)
def records(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three loans of six months of which nothing is ever paid."""
    for number, _ in BORROWERS.values():
        client.consent_id(number, purpose="post_loan_management")
    folder = tmp_path_factory.mktemp("loans")
    rows = [
        [who, name, f"A{name}", MADE, MADE, "2024-12-01", "", amount, 60000, 6, "active", MADE]
        for name, (who, amount) in BORROWERS.items()
    ]
    dues = [
        [who, name, n, f"2024-{6 + n:02d}-01", str(amount // 6 + 50), MADE]
        for name, (who, amount) in BORROWERS.items()
        for n in range(1, 7)
    ]
    ingest(bank, folder / "a", "loan", LOAN, rows)
    ingest(bank, folder / "b", "loan_instalment", DUE, dues)


def night(bank: Bank, tenant: str = "city", before: Any = None) -> dict[str, Any]:
    """One night's run for a tenant."""
    return report_book(bank.settings, bank.database, tenant, bank.clock(), before)


def asked(client: Client, **query: Any) -> Any:
    """What an auditor is shown."""
    got = client.as_("auditor").ask("GET", "/v1/portfolio", params=query)
    assert got.status_code == 200, got.text
    return got.json()


def test_before_the_first_night_there_is_nothing_and_it_is_said_what_to_do(client: Client) -> None:
    told = problem(client.as_("auditor").ask("GET", "/v1/portfolio"), 404, "no_report")
    assert "yidai worker" in told["remedy"]


def test_a_night_classes_the_book_and_keeps_what_the_command_works_out(bank: Bank, client: Client) -> None:
    bank.approved("classes", Kind.CLASSES, canonical_bytes(DOCUMENT))
    done = night(bank)
    assert (done["known"]["month"], done["classed"]) == ("2024-11", 3)
    month = client.as_("auditor").ask("GET", "/v1/classes", params={"month": "2024-11"}).json()
    assert [(row["loan_id"], row["confirmed"]) for row in month["classes"]] == [(n, False) for n in BORROWERS]
    shown = asked(client)
    _, text = yidai(bank, "auditor", "loans", "portfolio", "--months", "24", "--json")
    assert shown["portfolio"] == json.loads(text[text.index("{") :])
    assert shown["as_of"][:10] == "2024-12-01"
    assert night(bank, before=done) == {"known": done["known"], "kept": 0}


def test_what_segments_and_villages_hold_adds_up_to_the_book(client: Client) -> None:
    whole = asked(client)["portfolio"]
    for name in ("segment", "village"):
        labels = [part["label"] for part in whole["parts"][name]]
        parts = [asked(client, **{name: label})["portfolio"]["months"] for label in labels]
        for place, month in enumerate(whole["months"]):
            for figure in ("loans", "balance_fen", "overdue_fen"):
                assert sum(part[place][figure] for part in parts) == month[figure]
    assert len(whole["parts"]["segment"]) > 1


def test_fewer_months_are_the_last_of_them(client: Client) -> None:
    whole, short = asked(client)["portfolio"], asked(client, months=3)["portfolio"]
    assert short["months"] == whole["months"][-3:]
    assert short["rolls"] == whole["rolls"][-2:]
    assert all(a["after"] == b["before"] for a, b in pairwise(short["rolls"]))
    assert asked(client, months=1)["portfolio"]["rolls"] == []


@pytest.mark.parametrize(("query", "status", "code"), [
    ({"segment": "nothing"}, 404, "no_report"), ({"village": "9"}, 404, "no_report"),
    ({"as_of": "2024-11-30"}, 404, "no_report"), ({"segment": "a", "village": "b"}, 422, "both_parts"),
    ({"months": 0}, 422, ""), ({"months": 25}, 422, ""), ({"as_of": "yesterday"}, 422, ""), ({"segment": "\x00"}, 422, ""),
])  # fmt: skip
def test_what_was_not_kept_is_told(client: Client, query: dict[str, Any], status: int, code: str) -> None:
    problem(client.as_("auditor").ask("GET", "/v1/portfolio", params=query), status, code)


def test_a_new_record_of_the_book_lets_the_next_night_work_it_out_again(
    bank: Bank, client: Client, tmp_path: Path
) -> None:
    before = night(bank)
    assert before["kept"] == 0, "the same again says nothing new"
    late = [GOOD, "N4", "AN4", MADE, MADE, "2024-12-01", "", 9_000, 60000, 6, "active", MADE]
    ingest(bank, tmp_path, "loan", LOAN, [late])
    ingest(bank, tmp_path / "b", "loan_instalment", DUE, [[GOOD, "N4", 1, "2024-12-01", "9100", MADE]])
    done = night(bank, before=before)
    assert done["kept"] > 0
    assert asked(client)["portfolio"]["months"][-1]["loans"] == 4


def test_another_tenant_has_no_book_of_these_feeds(bank: Bank, client: Client) -> None:
    assert night(bank, "other")["kept"] == 0
    problem(client.as_("stranger").ask("GET", "/v1/portfolio"), 404, "no_report")


def test_the_monitoring_of_a_model_is_shown_as_it_was_kept(bank: Bank, client: Client) -> None:
    auditor = client.as_("auditor")
    problem(auditor.ask("GET", "/v1/models/risk/monitoring"), 404, "no_report")
    kept_reports(bank)
    shown = auditor.ask("GET", "/v1/models/risk/monitoring").json()
    assert (shown["model"], shown["found"]["findings"][0]["kind"], shown["opened"]) == (
        "risk", "score_moved", 1,
    )  # fmt: skip
    problem(client.as_("stranger").ask("GET", "/v1/models/risk/monitoring"), 404, "no_report")
