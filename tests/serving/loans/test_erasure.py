"""Who owes is not forgotten, whoever told of the loan; who has repaid not before the law allows it."""

from __future__ import annotations

from tests.serving.loans.desk import drawn
from tests.serving.world import GOOD, Client, problem


def test_a_borrower_is_kept_while_the_loan_is_open_and_for_the_years_after_it(client: Client) -> None:
    desk = drawn(client)
    body = {"id_number": GOOD, "reason": "asked"}
    officer = client.as_("administrator")
    problem(officer.ask("DELETE", "/v1/subjects", json=body), 409, "loan_open")
    assert desk.pay("2024-06-20", 121_200).json()["loan"]["state"] == "settled"
    problem(officer.ask("DELETE", "/v1/subjects", json=body), 409, "statutory_retention")
