"""The inbox at the console: grouped, filtered, acted on; and what is hostile stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from serving.access.model import Role
from serving.watch.signals import Level
from tests.serving.alerts.desk import forget_alerts, kinds, name_of, raised, sighting, stored
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import text_of
from tests.serving.world import GOOD, Bank

HOSTILE = "<script>alert(1)</script>\u202eyad\u2066 " + "长" * 400


@pytest.fixture(autouse=True)
def empty(bank: Bank) -> Iterator[None]:
    """No alert is left of another test."""
    forget_alerts(bank)
    yield
    forget_alerts(bank)


def version(bank: Bank, loan: str) -> str:
    """A marked row's value."""
    row = stored(bank)[loan, "ss_stop"]
    return f"{row.alert_id}:{row.version}"


def test_alerts_stand_by_level_and_filters_hold(bank: Bank, signed: Sign) -> None:
    raised(bank, [
        sighting("L-A", subject=1, level=Level.YELLOW, village="V1"),
        sighting("L-B", subject=2, level=Level.RED, village="V2"),
        sighting("L-C", subject=3, level=Level.ORANGE, village="V1"),
    ])  # fmt: skip
    ada = signed("ada", Role.RISK_OFFICER)
    page = ada.get("/inbox").text
    assert page.index("L-B") < page.index("L-C") < page.index("L-A")
    only = ada.get("/inbox?village=V1").text
    assert "L-B" not in only
    assert only.index("L-C") < only.index("L-A")
    assert "L-A" not in ada.get("/inbox?level=red&level=orange").text
    assert ada.get("/inbox?level=purple").status_code == 422


def test_one_action_on_many_tells_who_was_refused(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A", subject=1), sighting("L-B", subject=2)])
    ada = signed("ada", Role.RISK_OFFICER)
    old = version(bank, "L-A")
    one = ada.post(
        f"/alerts/{name_of(bank, 'L-A')}", kind="call", reason="Called.", version=old.split(":")[1]
    )
    assert one.status_code == 303, text_of(one)
    both = ada.post("/inbox", alert=[old, version(bank, "L-B")], kind="note", reason="Seen.")
    assert "Done about 1 alerts" in text_of(both)
    assert "Somebody has just worked on this alert" in text_of(both)
    assert kinds(bank, name_of(bank, "L-B"))[-1] == "note"
    assert ada.post("/inbox", kind="note", reason="Seen.").status_code == 422, "none is marked"


def test_the_second_of_two_officers_on_one_alert_is_told(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A")])
    alert, seen = name_of(bank, "L-A"), version(bank, "L-A").split(":")[1]
    for name, status in (("ada", 303), ("ann", 409)):
        answer = signed(name, Role.RISK_OFFICER).post(
            f"/alerts/{alert}", kind="visit", reason="Went there.", version=seen
        )
        assert answer.status_code == status
    assert "Somebody has just worked on this alert" in text_of(answer)


def test_a_form_that_is_sent_twice_acts_once(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A")])
    alert, seen = name_of(bank, "L-A"), version(bank, "L-A").split(":")[1]
    ada = signed("ada", Role.RISK_OFFICER)
    for _ in range(2):
        answer = ada.post(f"/alerts/{alert}", kind="call", reason="Called.", version=seen, key="form-1")
        assert answer.status_code == 303
    assert kinds(bank, alert).count("call") == 1


def test_hostile_notes_stay_text(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A", said={"zh": HOSTILE, "en": HOSTILE, "action_zh": "", "action_en": ""})])
    ada, alert = signed("ada", Role.RISK_OFFICER), name_of(bank, "L-A")
    sent = ada.post(
        f"/alerts/{alert}", kind="note", reason=HOSTILE, version=version(bank, "L-A").split(":")[1]
    )
    assert sent.status_code == 303, text_of(sent)
    for page in (ada.get("/inbox").text, ada.get(f"/alerts/{alert}").text):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
    too_long = ada.post(f"/alerts/{alert}", kind="note", reason="x" * 10_000, version="2")
    assert too_long.status_code == 422
    assert "500 are the most" in text_of(too_long)


def test_a_samples_alert_is_as_old_as_on_the_day_of_the_sample(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A")], at="2024-12-28T00:00:00")
    assert "3 d " in text_of(signed("ada", Role.RISK_OFFICER).get("/inbox"))
    forget_alerts(bank)
    raised(bank, [sighting("L-A")])
    assert " today " in text_of(signed("ada", Role.RISK_OFFICER).get("/inbox"))


def test_a_refused_form_comes_back_as_it_was_sent(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A")])
    ada, alert, old = (
        signed("ada", Role.RISK_OFFICER),
        name_of(bank, "L-A"),
        version(bank, "L-A").split(":")[1],
    )
    typed = {
        "kind": "visit",
        "reason": 'Went "there".',
        "result": "Nobody in.",
        "assignee": "ann",
        "verdict": "correct",
    }
    wrong = ada.post(f"/alerts/{alert}", until="tomorrow", version=old, **typed)
    assert wrong.status_code == 422
    for said in ("tomorrow", "Went &#34;there&#34;.", "Nobody in.", "ann", '"visit" selected'):
        assert said in wrong.text, said
    assert 'role="alert"' in wrong.text
    assert kinds(bank, alert) == ["raised"]
    assert ada.post(f"/alerts/{alert}", kind="call", reason="Called.", version=old).status_code == 303
    late = ada.post(f"/alerts/{alert}", kind="visit", reason="Went there.", version=old)
    assert late.status_code == 409
    assert "Went there." in late.text
    now = re.search(r'name="version" value="(\d+)"', late.text)
    assert now
    assert ada.post(f"/alerts/{alert}", kind="visit", reason="Went there.", version=now[1]).status_code == 303
    numbered = ada.post(f"/alerts/{alert}", kind="note", reason=f"It is {GOOD}.", version="3")
    assert numbered.status_code == 422
    assert GOOD not in numbered.text


def test_other_alerts_of_a_borrower_are_told_without_marks(bank: Bank, signed: Sign) -> None:
    raised(bank, [sighting("L-A"), sighting("L-B")])
    page = signed("ada", Role.RISK_OFFICER).get(f"/alerts/{name_of(bank, 'L-A')}").text
    assert "L-B" in page
    assert "checkbox" not in page
