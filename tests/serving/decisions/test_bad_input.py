"""What comes broken is refused with place and remedy, and nothing of it is stored."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from features.timeline.packed import pack, unpack
from serving.store.session import owner_transaction
from tests.serving.sending import LIMIT, send
from tests.serving.world import (
    GOOD,
    NOBODY,
    STRANGER,
    Bank,
    Client,
    application,
    number_of,
    problem,
)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"surprise": 1}, "body"),
        ({"applicant": {"id_number": GOOD, "name": "x"}}, "applicant"),
        ({"applicant": "330106"}, "applicant"),
        ({"applicant": {"id_number": 330106198506120015}}, "applicant.id_number"),
        ({"applicant": {"id_number": GOOD[:14]}}, "applicant.id_number"),
        ({"applicant": {}}, "applicant"),
        ({"consent_id": "not an id"}, "consent_id"),
        ({"consent_id": ...}, "body"),
        ({"product": ""}, "product"),
        ({"product": "x" * 65}, "product"),
        ({"product": None}, "product"),
        ({"term_months": 0}, "term_months"),
        ({"term_months": 361}, "term_months"),
        ({"term_months": "12"}, "term_months"),
        ({"term_months": 1.5}, "term_months"),
        ({"term_months": 10**30}, "term_months"),
        ({"term_months": True}, "term_months"),
        ({"amount_fen": 1}, "amount_fen"),
        ({"amount_yuan": ...}, "amount_fen"),
        ({"amount_yuan": ..., "amount_fen": 0}, "amount_fen"),
        ({"amount_yuan": ..., "amount_fen": -5}, "amount_fen"),
        ({"amount_yuan": ..., "amount_fen": 10**400}, "amount_fen"),
        ({"amount_yuan": ..., "amount_fen": 100.5}, "amount_fen"),
        ({"amount_yuan": "0"}, "amount_yuan"),
        ({"amount_yuan": "-1"}, "amount_yuan"),
        ({"amount_yuan": "1e9"}, "amount_yuan"),
        ({"amount_yuan": "1.234"}, "amount_yuan"),
        ({"amount_yuan": "20,000"}, "amount_yuan"),
        ({"amount_yuan": "20000\n"}, "amount_yuan"),
        ({"amount_yuan": "２００００"}, "amount_yuan"),
        ({"amount_yuan": "9999999999.99"}, "amount_yuan"),
        ({"amount_yuan": 20000}, "amount_yuan"),
        ({"product": "gold"}, "product"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(client: Client, consent: str, changes: dict, place: str) -> None:
    got = client.decide(GOOD, consent, **changes)
    assert problem(got, 422)["place"] == place
    assert problem(got, 422)["remedy"]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe\x00", b'{"product": "\xc3\x28"}', b"[" * 50_000, b'{"a":1}trailing', b"\x00"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/consents", "/v1/prefill"])
def test_what_is_not_json_is_told_as_such(client: Client, body: bytes, path: str) -> None:
    got = send(client, body, path)
    assert problem(got, 422, "invalid_request")["place"] == "body"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "value", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1e-999", b"-0", b"9" * 5_000]
)
@pytest.mark.parametrize("field", ["term_months", "amount_fen"])
def test_numbers_that_are_none_are_refused(client: Client, consent: str, field: str, value: bytes) -> None:
    body = application(GOOD, consent, **{"amount_yuan": ..., "amount_fen": 5, field: "@"})
    problem(send(client, json.dumps(body).encode().replace(b'"@"', value)), 422, "invalid_request")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/consents", "/v1/prefill"])
def test_a_body_over_the_limit_is_refused_declared_or_not(client: Client, path: str) -> None:
    large = b'{"product": "' + b"x" * LIMIT + b'"}'
    problem(send(client, large, path), 413, "body_too_large")
    problem(send(client, iter([large[:40_000], large[40_000:]]), path), 413, "body_too_large")


def test_a_body_of_exactly_the_limit_is_read(client: Client, consent: str) -> None:
    body = json.dumps(application(GOOD, consent)).encode()
    assert send(client, body + b" " * (LIMIT - len(body))).status_code == 201
    assert send(client, iter([body[:10], body[10:], b" " * (LIMIT - len(body))])).status_code == 201


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("number", "told"),
    [
        (GOOD[:-1] + "0", "check digit"),
        ("110101209902300011", "birth"),
        ("33010619850612001Y", "character"),
        (GOOD[:17], "length"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/consents", "/v1/prefill"])
def test_a_wrong_number_is_refused_without_being_repeated(
    client: Client, consent: str, number: str, told: str, path: str
) -> None:
    if path == "/v1/decisions":
        got, place = client.decide(number, consent), "applicant.id_number"
    elif path == "/v1/consents":
        got, place = client.consent(number), "id_number"
    else:
        got, place = client.ask("POST", path, json={"id_number": number, "consent_id": consent}), "id_number"
    refused = problem(got, 422, "wrong_number")
    assert refused["place"] == place
    assert told in refused["detail"]
    assert number not in got.text


def test_a_legacy_number_and_a_small_x_are_the_same_person(client: Client, bank: Bank) -> None:
    from features.identity.numbers import person_check_digit
    from serving.store.keys import KeyRing
    from serving.store.vault import PostgresVault
    from tests.serving.world import PLAN

    body = next(b for b in (f"33010619600101{k:03d}" for k in range(999)) if person_check_digit(b) == "X")
    vault = PostgresVault(bank.database, KeyRing.open(bank.settings.key_file))
    subject = vault.assign(PLAN.contracts["court_case"].subject, [f"{body}X"])[0]
    legacy = body[:6] + body[8:]
    for spelling in (f"{body}X", f"{body}x", legacy, f" {legacy} "):
        answer = client.decide(spelling, client.consent_id(spelling))
        assert answer.status_code == 201, answer.text
        name = answer.json()["decision_id"]
        receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{name}/receipt").json()
        assert receipt["case"]["subject"]["subject_id"] == subject


@pytest.mark.usefixtures("nothing_stored")
def test_somebody_of_whom_no_record_knows_is_told_apart(client: Client, consent: str) -> None:
    assert problem(client.decide(NOBODY, consent), 404, "unknown_subject")["place"] == "applicant.id_number"
    assert problem(client.consent(NOBODY), 404, "unknown_subject")["place"] == "id_number"
    body = {"id_number": NOBODY, "consent_id": consent}
    assert problem(client.ask("POST", "/v1/prefill", json=body), 404)["place"] == "id_number"


NOBODYS = "0192d5a0-0000-7000-8000-000000000000"
"""An id of nothing; the same in every process, so that tests have the same names."""


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer yd_unknown", "yd_unknown"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/decisions"),
        ("GET", f"/v1/decisions/{NOBODYS}"),
        ("GET", f"/v1/decisions/{NOBODYS}/explanation"),
        ("GET", f"/v1/decisions/{NOBODYS}/receipt"),
        ("POST", "/v1/consents"),
        ("GET", f"/v1/consents/{NOBODYS}"),
        ("DELETE", f"/v1/consents/{NOBODYS}"),
        ("POST", "/v1/prefill"),
    ],
)
def test_nobody_known_gets_nothing(client: Client, method: str, path: str, header: str | None) -> None:
    got = client.http.request(method, path, headers={} if header is None else {"Authorization": header})
    problem(got, 401, "nobody_known")
    assert got.headers["www-authenticate"] == "Bearer"


def test_unknown_routes_and_methods_are_problems(client: Client) -> None:
    problem(client.ask("GET", "/v2/decisions"), 404, "no_such_route")
    got = client.ask("PUT", "/v1/decisions")
    problem(got, 405, "method_not_allowed")
    assert got.headers["allow"] == "POST"
    assert problem(client.ask("GET", "/v1/decisions/17"), 422, "invalid_request")["place"] == "decision_id"
    problem(client.ask("GET", f"/v1/decisions/{uuid4()}"), 404, "unknown_decision")
    problem(client.ask("GET", f"/v1/consents/{uuid4()}"), 404, "unknown_consent")
    problem(client.ask("DELETE", f"/v1/consents/{uuid4()}"), 404, "unknown_consent")


def test_where_nothing_is_active_the_service_says_so(client: Client, bank: Bank) -> None:
    with owner_transaction(bank.database) as owner:
        copied = uuid4()
        owner.execute(
            "INSERT INTO consent SELECT 'other', %s, subject_id, categories, purpose, 'other', form, valid_from,"
            " valid_to, given_at, NULL, recorded_by FROM consent WHERE tenant_id = 'city'"
            " AND subject_id = (SELECT subject_id FROM subject WHERE number_hash = %s) LIMIT 1",
            (copied, _hash(bank, GOOD)),
        )
    other = client.as_("stranger")
    got = other.decide(GOOD, str(copied))
    assert problem(got, 503, "nothing_active")["place"] == "policy"
    assert got.headers["retry-after"] == "1"
    problem(other.consent(GOOD, recipient="other"), 503, "nothing_active")


def _hash(bank: Bank, number: str) -> bytes:
    from serving.store.keys import KeyRing

    return KeyRing.open(bank.settings.key_file).pseudonym("person", number)


def test_not_being_online_is_never_taken_for_having_no_record(client: Client, bank: Bank) -> None:
    number = number_of(3)
    consent = client.consent_id(number)
    assert client.decide(STRANGER, client.consent_id(STRANGER)).json()["outcome"] == "refer"
    where = f"WHERE subject_id = (SELECT subject_id FROM subject WHERE number_hash = '\\x{_hash(bank, number).hex()}')"
    with owner_transaction(bank.database) as owner:
        packed = owner.execute(f"SELECT packed FROM subject_timeline {where}").fetchone()[0]
        some = {name: table for name, table in unpack(packed).items() if name != "court_case"}
        owner.execute(f"UPDATE subject_timeline SET packed = %s {where}", (pack(some),))
    got = client.decide(number, consent)
    assert "court_case" in problem(got, 503, "not_hydrated")["detail"]
    with owner_transaction(bank.database) as owner:
        owner.execute(f"DELETE FROM subject_timeline {where}")
    got = client.decide(number, consent)
    problem(got, 503, "not_hydrated")
    assert got.headers["retry-after"] == "1"
    got = client.ask("POST", "/v1/prefill", json={"id_number": number, "consent_id": consent})
    problem(got, 503, "not_hydrated")
