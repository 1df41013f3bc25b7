"""A referred application at the console: taken, read, decided by one, and where it is large by two."""

from __future__ import annotations

import re

import pytest

from serving.access.model import Role
from tests.serving.cases.desk import WORDS, case_of, decided
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.world import MIDDLE, Bank, Client

pytestmark = pytest.mark.usefixtures("nothing_promised")


def seen(guest: Guest, case: str) -> str:
    """What the page says that was seen."""
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', guest.get(f"/cases/{case}").text)
    assert found
    return found[1]


@pytest.fixture
def referred(client: Client) -> str:
    """A case that waits."""
    return str(case_of(client, decided(client, MIDDLE, "refer"))["case_id"])


def decline(guest: Guest, case: str) -> dict[str, str]:
    """The fields of a refusal."""
    return {
        "outcome": "decline",
        "reason_code": "RV_INCOME_NOT_PROVED",
        "reason": WORDS,
        "seen": seen(guest, case),
    }


def test_an_officer_takes_a_case_reads_it_and_declines_it(signed: Sign, referred: str) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    assert referred in ada.get("/cases").text
    assert "Take it" in text_of(ada.get(f"/cases/{referred}"))
    assert ada.post(f"/cases/{referred}/take").status_code == 303
    page = text_of(ada.get(f"/cases/{referred}"))
    assert "What counted most" in page
    assert "How the policy came to it" in page
    assert ada.post(f"/cases/{referred}/decide", **decline(ada, referred)).status_code == 303
    assert "The income could not be proved" in text_of(ada.get(f"/cases/{referred}"))
    assert referred not in ada.get("/cases").text
    assert referred in ada.get("/cases?state=decided").text


def test_the_second_of_two_officers_is_told(signed: Sign, referred: str) -> None:
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    ada.post(f"/cases/{referred}/take")
    late = ann.post(f"/cases/{referred}/take")
    assert late.status_code == 409
    assert "ada" in text_of(late)
    assert ann.post(f"/cases/{referred}/take", over="yes").status_code == 303
    assert ada.post(f"/cases/{referred}/decide", **decline(ann, referred)).status_code == 409


def test_a_large_approval_waits_for_somebody_else(bank: Bank, signed: Sign, client: Client) -> None:
    case = str(case_of(client, decided(client, MIDDLE, "refer", amount_yuan="80000"))["case_id"])
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    ada.post(f"/cases/{case}/take")
    fields = {
        "outcome": "approve",
        "reason_code": "RV_INCOME_PROVED",
        "reason": WORDS,
        "limit_yuan": "60,000",
        "rate_percent": "12.00",
    }
    sent = ada.post(f"/cases/{case}/decide", seen=seen(ada, case), **fields)
    assert sent.status_code == 303, text_of(sent)
    assert "Who proposed it cannot agree" in text_of(ada.get(f"/cases/{case}"))
    digest = seen(ann, case)
    assert ada.post(f"/cases/{case}/second", seen=digest, agree="yes").status_code == 403, (
        "the server holds it"
    )
    assert ann.post(f"/cases/{case}/second", seen=digest, agree="yes").status_code == 303
    assert "Decided" in text_of(ann.get(f"/cases/{case}"))


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"outcome": "perhaps"}, "outcome"),
        ({"reason": " "}, "reason"),
        ({"reason_code": "RV_NONE"}, "reason_code"),
        ({"reason": "x" * 2_001}, "reason"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_decided(
    signed: Sign, referred: str, changed: dict[str, str], place: str
) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    ada.post(f"/cases/{referred}/take")
    answer = ada.post(f"/cases/{referred}/decide", **(decline(ada, referred) | changed))
    assert answer.status_code == 422
    assert place in text_of(answer)
    assert "Taken" in text_of(ada.get(f"/cases/{referred}"))


def test_an_auditor_reads_and_decides_nothing(signed: Sign, referred: str) -> None:
    auditor = signed("aud", Role.AUDITOR)
    assert "not decide it" in text_of(auditor.get(f"/cases/{referred}"))
    assert auditor.post(f"/cases/{referred}/take").status_code == 403
    assert signed("chen", Role.ANALYST).get("/cases").status_code == 403


def test_the_second_half_of_a_double_click_leads_to_the_page(signed: Sign, referred: str) -> None:
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    ada.post(f"/cases/{referred}/take")
    fields = decline(ada, referred)
    for _ in range(2):
        answer = ada.post(f"/cases/{referred}/decide", **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/cases/{referred}")
    other = fields | {"reason_code": "RV_CONSENT_WITHDRAWN"}
    assert ada.post(f"/cases/{referred}/decide", **other).status_code == 409, "it was decided otherwise"
    assert ann.post(f"/cases/{referred}/decide", **fields).status_code == 409, "somebody else decided it"


def test_a_refused_decision_comes_back_as_it_was_sent(signed: Sign, referred: str) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    ada.post(f"/cases/{referred}/take")
    typed = {"outcome": "approve", "reason_code": "RV_INCOME_PROVED", "reason": WORDS, "limit_yuan": "much", "rate_percent": "9.75"}  # fmt: skip
    answer = ada.post(
        f"/cases/{referred}/decide", page=f"/console/cases/{referred}", seen=seen(ada, referred), **typed
    )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    for said in (
        WORDS,
        'value="much"',
        'value="9.75"',
        '"RV_INCOME_PROVED" selected',
        'value="approve" required checked',
    ):
        assert said in answer.text, said
