"""A person asks what is known of them, and says what they think of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from serving.store.session import owner_transaction
from tests.serving.cases.desk import case_of, decided, view
from tests.serving.records.sending import case as court_case
from tests.serving.records.sending import sent
from tests.serving.world import GOOD, LATE, MIDDLE, NOBODY, POOR, STRANGER, Bank, Client, problem


def report(client: Client, number: str, *, paid: bool = False):
    return client.ask("POST", "/v1/subjects/report", json={"id_number": number, "paid": paid})


def state(client: Client, number: str, text: str = "I was in hospital.", **changes):
    body = {"id_number": number, "dataset": "bureau_repayment", "text": text, **changes}
    return client.ask("POST", "/v1/subjects/statement", json=body)


def test_a_report_tells_sources_decisions_reads_disputes_and_statements(client: Client) -> None:
    sent(client, [court_case(GOOD, "C77", kind="civil")])
    decision = client.decide(GOOD, client.consent_id(GOOD)).json()["decision_id"]
    body = {"id_number": GOOD, "dataset": "court_case", "key": {"case_id": "C77"}, "ground": "paid"}
    client.ask("POST", "/v1/disputes", json=body)
    state(client, GOOD)
    told = report(client, GOOD).json()
    sources = {source["dataset"]: source for source in told["sources"]}
    assert set(sources) == {"bank_transaction", "social_insurance", "bureau_repayment", "court_case"}
    assert sources["bank_transaction"]["records"] == 14
    assert sources["court_case"]["disputed"]
    assert not sources["bank_transaction"]["disputed"]
    assert all(source["zh"] and source["en"] and source["latest"] for source in told["sources"])
    assert [(one["decision_id"], one["kind"]) for one in told["decisions"]] == [(decision, "system")]
    assert {"integration_engineer", "working set"} <= {read["who"] for read in told["reads"]}
    assert [each["ground"] for each in told["disputes"]] == ["paid"]
    assert [each["text"] for each in told["statements"]] == ["I was in hospital."]


def test_the_third_of_a_year_is_chargeable_and_says_so(client: Client, bank: Bank) -> None:
    assert [report(client, LATE).json()["free"] for _ in range(2)] == ["yearly", "yearly"]
    told = problem(report(client, LATE), 409, "report_chargeable")
    assert (told["place"], "2026-01-01" in told["remedy"]) == ("paid", True)
    assert report(client, LATE, paid=True).json()["free"] is None
    with owner_transaction(bank.database) as owner:
        kept = owner.execute("SELECT allowance FROM subject_report ORDER BY made_at").fetchall()
        logged = owner.execute("SELECT count(*) FROM audit_log WHERE action = 'report.made'").fetchone()
        read = owner.execute("SELECT count(*) FROM access_log WHERE purpose = 'subject_rights'").fetchone()
    assert [row[0] for row in kept][-3:] == ["yearly", "yearly", "paid"]
    assert logged[0] == len(kept)
    assert read[0] >= len(kept)


def test_of_many_at_once_two_are_free(client: Client) -> None:
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda _: report(client, POOR).status_code, range(6)))
    assert sorted(got) == [200, 200, 409, 409, 409, 409]


def test_who_stands_in_no_record_has_an_empty_report(client: Client) -> None:
    assert report(client, STRANGER).json()["sources"] == []
    problem(report(client, NOBODY), 404, "unknown_subject")
    problem(client.as_("analyst").ask("POST", "/v1/subjects/report", json={"id_number": GOOD}), 403)


def test_a_statement_is_shown_to_the_reviewer_and_kept_under_the_subjects_key(
    client: Client, bank: Bank
) -> None:
    referred = decided(client, MIDDLE, "refer")
    name = case_of(client, referred)["case_id"]
    before = view(client, name)
    assert state(client, MIDDLE, "The employer paid late.").status_code == 201
    after = view(client, name)
    assert [each["text"] for each in after["evidence"]["statements"]] == ["The employer paid late."]
    assert before["seen"] != after["seen"], "what a reviewer has not seen counts as changed"
    with owner_transaction(bank.database) as owner:
        rows = owner.execute("SELECT s::text FROM subject_statement s").fetchall()
    assert rows
    assert not any(b"employer".hex() in row[0] or "employer" in row[0] for row in rows)


def test_a_statement_is_about_a_record_that_is_there(client: Client) -> None:
    assert state(client, MIDDLE, key={"account": "A0040", "month": "2024-06"}).status_code in {201, 404}
    problem(state(client, MIDDLE, dataset="court_case"), 404, "unknown_record")
    problem(state(client, MIDDLE, dataset="nowhere"), 422)
    problem(state(client, MIDDLE, key={"case": "C1"}), 422, "wrong_key_of_record")
    problem(state(client, NOBODY), 404, "unknown_subject")
    problem(state(client, MIDDLE, "x" * 501), 422)


def test_another_tenant_sees_nothing_of_this_ones_decisions(client: Client) -> None:
    told = client.as_("stranger").ask("POST", "/v1/subjects/report", json={"id_number": GOOD})
    if told.status_code == 200:
        assert told.json()["decisions"] == told.json()["statements"] == told.json()["disputes"] == []
    else:
        problem(told, 503, "nothing_active")
