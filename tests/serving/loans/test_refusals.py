"""What the book does not take over HTTP: the field, why, and what to do; nothing is stored of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.loans.desk import DRAWDOWN, SCHEDULE, Desk, drawn
from tests.serving.world import Client

LATER = "2025-01-02T09:00:00"
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("payments", {"at": "2024-05-31", "amount_fen": 100}, "before_grant", "at"),
    ("payments", {"at": "2024-07-01", "amount_fen": -100}, "no_amount", "amount_fen"),
    ("payments", {"at": "2024-07-01", "amount_fen": 0}, "no_amount", "amount_fen"),
    ("payments", {"at": "2024-07-01", "amount_fen": 100, "currency": "USD"}, "other_currency", "currency"),
    ("payments", {"at": "2030-01-01", "amount_fen": 100}, "in_the_future", "at"),
    ("payments", {"at": "2024-06-04", "amount_fen": 100}, "nothing_drawn", "loan_id"),
    ("recoveries", {"at": "2024-07-01", "amount_fen": 100}, "not_charged_off", "loan_id"),
    ("fees", {"at": "2024-07-01", "amount_fen": 100, "days": -1}, "no_days", "days"),
    ("extensions", {"at": "2024-07-01", "days": 0}, "no_days", "days"),
    ("extensions", {"at": LATER, "days": 5}, "nothing_to_extend", "at"),
    ("drawdowns", DRAWDOWN | {"at": "2024-06-06", "amount_fen": 1, "schedule": [{"due_on": "2024-07-05", "principal_fen": 1}]}, "over_limit", "amount_fen"),
    ("restructurings", {"at": "2024-12-01", "schedule": SCHEDULE}, "does_not_add_up", "schedule"),
    ("restructurings", {"at": "2024-07-01", "schedule": [{"due_on": "2024-07-05", "principal_fen": 5}]}, "does_not_add_up", "schedule"),
]  # fmt: skip


@pytest.fixture(scope="module")
def desk(client: Client) -> Desk:
    """A drawn loan on which nothing is paid."""
    return drawn(client)


@pytest.mark.parametrize(("what", "body", "code", "place"), REFUSED, ids=[f"{r[0]}-{r[2]}" for r in REFUSED])
def test_it_is_refused_with_field_and_remedy(
    desk: Desk, what: str, body: dict[str, Any], code: str, place: str
) -> None:
    before = desk.read()
    got = desk.tell(what, **body)
    told = got.json()
    assert (got.status_code, got.headers["content-type"]) == (422, "application/problem+json")
    assert (told["code"], told["place"]) == (code, place)
    assert told["remedy"]
    assert desk.read() | {"as_of": ""} == before | {"as_of": ""}


def test_a_schedule_that_does_not_add_up_draws_nothing(client: Client) -> None:
    desk = Desk(client)
    desk.grant()
    for wrong in (
        {"amount_fen": 119_999},
        {"schedule": SCHEDULE[::-1]},
        {"schedule": [*SCHEDULE, {"due_on": "2024-10-05", "interest_fen": 9}]},
        {"at": "2024-08-01"},
    ):
        got = desk.tell("drawdowns", **(DRAWDOWN | wrong))
        assert (got.status_code, got.json()["code"], got.json()["place"]) == (
            422,
            "does_not_add_up",
            "schedule",
        )
    assert desk.read()["state"] == "undrawn"


def test_a_closed_loan_takes_no_payment_and_a_charged_off_one_recoveries_only(client: Client) -> None:
    desk = drawn(client)
    desk.pay("2024-06-05T11:00:00", 121_200)
    got = desk.pay("2024-06-06", 100)
    assert (got.status_code, got.json()["code"], got.json()["place"]) == (422, "closed", "loan_id")
    other = drawn(client)
    other.tell("charge-offs", at="2024-12-01")
    got = other.pay("2024-12-02", 100)
    assert (got.json()["code"], got.json()["remedy"]) == (
        "charged_off",
        "Send what is paid now as a recovery.",
    )


def test_a_key_or_a_reference_stands_for_one_record(desk: Desk) -> None:
    desk.tell("payments", key="mine", at="2024-07-01", amount_fen=7, reference="")
    got = desk.tell("payments", key="mine", at="2024-07-01", amount_fen=8)
    assert (got.status_code, got.json()["code"], got.json()["place"]) == (
        409,
        "recorded_otherwise",
        "Idempotency-Key",
    )
    desk.pay("2024-07-02", 7, reference="R1")
    got = desk.pay("2024-07-02", 8, reference="R1")
    assert (got.status_code, got.json()["place"]) == (409, "reference")


def test_writes_need_a_key(client: Client, desk: Desk) -> None:
    body = {"at": "2024-07-01", "amount_fen": 7}
    got = client.ask("POST", f"/v1/loans/{desk.loan}/payments", json=body)
    assert (got.status_code, got.json()["place"]) == (422, "Idempotency-Key")


def test_both_or_neither_of_schedule_and_terms_is_refused(desk: Desk) -> None:
    got = desk.tell("drawdowns", at="2024-07-01", amount_fen=5)
    assert (got.status_code, got.json()["place"]) == (422, "schedule")


def test_a_moment_that_is_none_or_is_to_come_is_refused(client: Client, desk: Desk) -> None:
    for text, code in (("soon and after", "invalid"), ("2031-01-01", "in_the_future")):
        got = client.ask("GET", f"/v1/loans/{desk.loan}", params={"as_of": text})
        assert (got.status_code, got.json()["code"], got.json()["place"]) == (422, code, "as_of")
