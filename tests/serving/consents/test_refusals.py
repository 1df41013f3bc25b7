"""A consent that cannot be, and a consent that does not cover what is asked under it."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.serving.sending import counts, send
from tests.serving.world import CATEGORIES, GOOD, LATE, Bank, Client, problem


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"valid_from": "2024-01-01", "valid_to": "2025-01-02"}, "consent_expired"),
        ({"valid_from": "2025-03-01"}, "consent_not_yet_valid"),
        ({"purpose": "post_loan_management"}, "consent_other_purpose"),
    ],
)
def test_a_consent_that_does_not_cover_it_is_told_why(
    client: Client, bank: Bank, changes: dict, code: str
) -> None:
    ended = client.consent_id(GOOD, **changes)
    before = counts(bank)
    assert problem(client.decide(GOOD, ended), 403, code)["place"] == "consent_id"
    got = client.ask("POST", "/v1/prefill", json={"id_number": GOOD, "consent_id": ended})
    assert problem(got, 403, code)["place"] == "consent_id"
    assert counts(bank) == before


def test_a_consent_of_nobody_or_another_person_is_none(client: Client, consent: str) -> None:
    client.consent_id(LATE)
    for name, number in ((str(uuid4()), GOOD), (consent, LATE)):
        problem(client.decide(number, name), 403, "consent_missing")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("changes", "status", "code", "place"),
    [
        ({"recipient": "other"}, 403, "wrong_recipient", "recipient"),
        ({"categories": ["astrology"]}, 422, "wrong_consent", "categories"),
        ({"categories": [*CATEGORIES, "religion"]}, 422, "wrong_consent", "categories"),
        ({"categories": []}, 422, "invalid_request", "categories"),
        ({"categories": "bank"}, 422, "invalid_request", "categories"),
        ({"purpose": "marketing"}, 422, "wrong_consent", "purpose"),
        ({"form": "telepathy"}, 422, "wrong_consent", "form"),
        ({"valid_to": "2024-01-01"}, 422, "wrong_consent", "valid_to"),
        ({"valid_to": "2200-01-02"}, 422, "wrong_consent", "valid_to"),
        ({"valid_to": "9999-12-31T23:59:59-23:00"}, 422, "wrong_consent", "valid_to"),
        ({"valid_from": "0001-01-01T00:00:00+23:00"}, 422, "wrong_consent", "valid_from"),
        ({"valid_from": "yesterday"}, 422, "wrong_consent", "valid_from"),
        ({"surprise": 1}, 422, "invalid_request", "surprise"),
        ({"id_number": None}, 422, "invalid_request", "id_number"),
    ],
)
def test_a_consent_whose_terms_cannot_be_is_refused(client: Client, changes, status, code, place) -> None:
    got = client.consent(GOOD, **changes)
    assert problem(got, status, code)["place"] == place


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("field", ["form", "purpose", "recipient", "valid_from", "valid_to", "id_number"])
def test_half_a_surrogate_pair_is_refused_like_any_wrong_value(client: Client, field: str) -> None:
    body = {
        "id_number": GOOD, "categories": CATEGORIES, "purpose": "credit_assessment", "recipient": "city",
        "form": "electronic", "valid_from": "2025-01-01", "valid_to": "2027-01-01", field: "\ud800" * 15,
    }  # fmt: skip
    got = send(client, json.dumps(body).encode(), "/v1/consents")
    assert got.status_code in {403, 422}
    assert problem(got, got.status_code)["place"] == field
