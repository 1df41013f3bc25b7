"""What would help is told only where it does: the notice's advice, followed, changes the answer."""

from __future__ import annotations

import re
from uuid import UUID

import msgspec
import numpy as np
import pytest

from serving.decisions.live import Live, compile_live
from serving.decisions.receipt import Receipt, read_receipt
from serving.explain import helps
from serving.explain.helps import actions_of, helps_of, row_of
from serving.policy.load import CITY, policy_from_yaml
from tests.serving.cases.desk import decided
from tests.serving.policy.documents import plain
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, PLAN, Client, policy_with, scorecard


def live_of(policy: bytes, model: bytes) -> Live:
    """Versions compiled without a store."""
    slots = {"policy": "p", "definitions": "d", "bundle.risk": "b"}
    return compile_live(slots, {"p": policy, "d": PLAN.document, "b": model})


LIVE = live_of(policy_from_yaml(CITY).data, scorecard("risk"))
ACTIONS = actions_of("city", PLAN.columns)
assert ACTIONS is not None


def receipt_of(client: Client, number: str, outcome: str) -> Receipt:
    """What led to somebody's decision."""
    name = decided(client, number, outcome)
    return read_receipt(client.as_("auditor").ask("GET", f"/v1/decisions/{UUID(name)}/receipt").content)


def test_a_referred_applicant_is_told_what_would_have_been_approved(client: Client) -> None:
    name = decided(client, MIDDLE, "refer")
    (told,) = client.ask("GET", f"/v1/decisions/{name}/notice").json()["helps"]
    assert told["en"].startswith("Receive more of the income in the account")
    found = re.search(r"16,500 → ([0-9,]+)", told["en"])
    assert found
    assert int(found[1].replace(",", "")) >= 36_000  # where the scorecard's next bin begins
    assert "16,500 → " in told["zh"]
    assert re.search(r"[一-鿿]", told["zh"])


@pytest.mark.parametrize(
    ("number", "outcome"), [(LATE, "decline"), (DISHONEST, "decline"), (GOOD, "approve")]
)
def test_nothing_is_told_where_nothing_that_one_can_do_helps_or_a_rule_decides(
    client: Client, number: str, outcome: str
) -> None:
    name = decided(client, number, outcome)
    assert client.ask("GET", f"/v1/decisions/{name}/notice").json()["helps"] == []


def test_the_row_of_a_receipt_scores_as_the_receipt_says(client: Client) -> None:
    receipt = receipt_of(client, MIDDLE, "refer")
    row = row_of(receipt, PLAN.columns)
    score = LIVE.scorers["risk"].score(*LIVE.inputs("risk", row))
    assert int(score.log_odds[0]) == receipt.scores["risk"].log_odds
    composed = row.values.copy()
    PLAN.recompose(composed, row.missing)
    np.testing.assert_array_equal(composed, row.values)


def test_an_approved_applicant_is_told_what_would_cost_less(client: Client) -> None:
    receipt = receipt_of(client, MIDDLE, "refer")
    tables = plain()["tables"]
    for row in tables["cutoffs"]:
        row["grades"] = {"known-approve": [1, 8], "known-refer": [9, 9], "known-decline": [10, 10]}.get(
            row["id"], row["grades"]
        )
    live = live_of(policy_with(tables=tables), scorecard("risk"))
    answer = receipt.answer | {"outcome": "approve", "annual_rate_ppm": 138_000}
    dear = msgspec.structs.replace(receipt, answer=answer)
    (told,) = helps_of(dear, live, ACTIONS)
    assert "16,500 → 40,500" in told.en


def test_what_was_found_is_not_told_unless_deciding_again_agrees(client: Client, monkeypatch) -> None:
    receipt = receipt_of(client, MIDDLE, "refer")
    assert helps_of(receipt, LIVE, ACTIONS)
    strict = plain()
    strict["gates"][0]["rules"][0]["when"] = {
        "any": [{"fact": "bank_inflow_sum_12m", "op": "ge", "value": 30_000}]
    }
    stricter = live_of(policy_with(gates=strict["gates"]), scorecard("risk"))
    assert helps_of(receipt, stricter, ACTIONS) == ()


def test_a_portfolio_without_actions_tells_nothing() -> None:
    assert helps.actions_of("gmsc", PLAN.columns) is None
