"""Policy, signals and the other texts: analysed at every save, tried before they are submitted, approved by another person."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from html import unescape

import httpx
import pytest

from features.calendar import iso
from serving.access.model import Role
from serving.console.trials import MOST, Trial, Trials, TrialState, TrialWaits
from serving.console.words import words
from serving.governance.drafts import WRITTEN, shipped_text
from serving.policy.findings import Severity
from serving.registry.model import Kind
from serving.watch.signals import Group
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.desk import Desk, model
from tests.serving.world import Bank

HOSTILE = "</textarea><script>alert(1)</script>"


@pytest.fixture(scope="module")
def desk(bank: Bank) -> Desk:
    return Desk(bank)


def typed(page: httpx.Response) -> str:
    """What stands in the editor."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.text, re.DOTALL)
    assert found
    return unescape(found[1])


def change(guest: Guest, kind: Kind, old: str, new: str) -> str:
    """The text of what is in force with a change."""
    text = typed(guest.get(f"/policy/edit/{kind}"))
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_kind_has_a_text_that_is_right_as_it_stands(signed: Sign, kind: Kind) -> None:
    mia = signed("mia", Role.ANALYST)
    page = mia.get(f"/policy/edit/{kind}")
    checked = mia.post(f"/policy/edit/{kind}", deed="check", text=typed(page))
    assert checked.status_code == 200, text_of(checked)[:600]
    assert "Errors" not in text_of(checked)
    assert f"/console/policy/edit/{kind}" in mia.get("/policy").text


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        (Kind.POLICY, "fact: age_years", "fact: agge_years", "agge_years"),
        (Kind.POLICY, "schema: 2", "schema: [", "not valid YAML"),
        (Kind.HANDLING, "schema: 1", "schema: one", "Expected `int`"),
        (Kind.MONITORING, "psi: 0.25", "psi: 0", "no limit"),
    ],
)
def test_a_fault_is_told_with_its_line_and_the_typed_text_stays(
    signed: Sign, desk, kind, old, new, said
) -> None:
    mia = signed("mia", Role.ANALYST)
    wrong = f"{change(mia, kind, old, new)}\n# {HOSTILE} 我的备注\n"
    for deed in ("check", "try", "submit", ""):
        page = mia.post(f"/policy/edit/{kind}", deed=deed, text=wrong)
        assert page.status_code == 422
        assert HOSTILE not in page.text
        assert typed(page) == wrong.strip()
        told = text_of(page)
        assert said in told
        assert re.search(r"line \d+", told)


def test_a_text_is_submitted_approved_by_another_and_begins_on_a_day_until_it_is_called_off(
    signed: Sign, desk: Desk
) -> None:
    mia, ada = signed("mia", Role.ANALYST), signed("ada", Role.RISK_OFFICER)
    before = desk.in_force()["policy"]
    text = change(mia, Kind.POLICY, "value: 18", "value: 20")
    checked = mia.post("/policy/edit/policy", deed="check", text=text)
    assert '"value":20}' in text_of(checked), "the one difference"
    sent = mia.post("/policy/edit/policy", deed="submit", text=text, note="Adults <i>")
    assert sent.status_code == 303
    path = sent.headers["location"].removeprefix("/console")
    assert "Adults &lt;i&gt;" in mia.get("/policy").text
    assert mia.post(f"{path}/approve", verdict="approved").status_code == 403
    early = ada.post(f"{path}/activate", kind="policy")
    assert early.status_code == 409, "nobody has approved it"
    assert ada.post(f"{path}/approve", verdict="approved").status_code == 303
    day = iso(desk.bank.clock() + 30 * 86_400_000_000)[:10]
    assert ada.post(f"{path}/activate", kind="policy", begin="2001-01-01").status_code == 422
    assert ada.post(f"{path}/activate", kind="policy", begin=day).status_code == 303
    assert "To begin" in text_of(ada.get(path))
    assert desk.in_force()["policy"] == before
    assert ada.post("/models/slots/policy/rollback").status_code == 303
    assert "To begin" not in text_of(ada.get("/policy"))
    assert ada.post(f"{path}/activate", kind="policy").status_code == 303
    assert desk.in_force()["policy"] == path.rpartition("/")[2]
    assert ada.post("/models/slots/policy/rollback").status_code == 303
    assert desk.in_force()["policy"] == before


def test_the_author_is_refused_by_the_server_though_the_button_is_forced(signed: Sign) -> None:
    ann, ada = signed("ann", Role.RISK_OFFICER), signed("ada", Role.RISK_OFFICER)
    text = change(ann, Kind.MONITORING, "psi: 0.25", "psi: 0.3")
    path = ann.post("/policy/edit/monitoring", deed="submit", text=text).headers["location"][8:]
    assert 'value="approved"' not in ann.get(path).text
    assert ann.post(f"{path}/approve", verdict="approved").status_code == 409
    assert ada.post(f"{path}/approve", verdict="refused").status_code == 422
    assert ada.post(f"{path}/approve", verdict="approved").status_code == 303
    assert ann.post(f"{path}/activate", kind="monitoring").status_code == 303
    assert "psi: 0.3" in typed(ann.get("/policy/edit/monitoring"))
    assert "shipped" in text_of(ann.get("/policy"))


def test_a_back_test_that_cannot_be_run_says_why_and_keeps_the_text(signed: Sign) -> None:
    """The bank of the tests has no past loans: the reader says so, and not the page."""
    mia = signed("mia", Role.ANALYST)
    text = change(mia, Kind.POLICY, "value: 18", "value: 21")
    path = mia.post("/policy/edit/policy", deed="try", text=text).headers["location"].removeprefix("/console")
    page = mia.get(path)
    for _ in range(200):
        if "http-equiv" not in page.text:
            break
        time.sleep(0.05)
        page = mia.get(path)
    assert 'role="alert"' in page.text
    assert typed(page).strip() == text.strip()
    assert signed("eve", Role.AUDITOR).get(path).status_code == 403
    assert mia.get("/policy/tries/unknown").status_code == 404
    none = mia.post("/policy/edit/signals", deed="try", text=shipped_text(Kind.SIGNALS))
    assert none.status_code == 409, "nothing is in force beside which it could be tried"


def test_pages_lead_to_each_other_and_unknown_ones_are_not_found(signed: Sign, desk: Desk) -> None:
    mia = signed("mia", Role.ANALYST)
    bundle = desk.submit(model())
    assert mia.get(f"/policy/versions/{bundle}").headers["location"] == f"/console/models/{bundle}"
    held = desk.in_force()
    assert mia.get(f"/models/{held['policy']}").headers["location"].endswith(f"/versions/{held['policy']}")
    assert mia.get(f"/policy/versions/{held['definitions']}").status_code == 200
    assert mia.get(f"/policy/versions/{'1' * 64}").status_code == 404
    assert mia.get(f"/policy/edit/policy?of={'1' * 64}").status_code == 404
    assert mia.get(f"/policy/edit/policy?of={bundle}").status_code == 422
    assert mia.get("/policy/edit/bundle").status_code == 404
    eve = signed("eve", Role.AUDITOR)
    assert "<textarea" not in eve.get("/policy/edit/policy").text
    assert eve.post("/policy/edit/policy", deed="submit", text="x").status_code == 403


async def test_back_tests_are_a_tenants_own_and_the_oldest_go_first() -> None:
    trials = Trials()
    made = [
        trials.begin(Trial("city", f"mia {n}", Kind.POLICY, "x", n), lambda tell: tell("step"))
        for n in range(MOST + 5)
    ]
    await trials.rest()
    last = trials.begin(Trial("city", "mia", Kind.POLICY, "x", 0), lambda _: 1)
    assert trials.of("other", last.name) is None
    assert trials.of("city", last.name) is last
    assert trials.of("city", made[0].name) is None
    assert trials.of("city", made[-1].name) is made[-1]
    await trials.rest()
    assert last.found == 1


async def test_of_each_person_one_back_test_waits_and_no_more() -> None:
    trials, loop, begun, go = Trials(), asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(_: object) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return go.wait(20)

    trials.begin(Trial("city", "mia", Kind.POLICY, "x", 0), hold)
    await begun.wait()
    trials.begin(Trial("city", "mia", Kind.POLICY, "y", 1), lambda _: 1)
    with pytest.raises(TrialWaits):
        trials.begin(Trial("city", "mia", Kind.POLICY, "z", 2), lambda _: 1)
    for tenant, name in (("city", "ann"), ("other", "mia")):
        trials.begin(Trial(tenant, name, Kind.POLICY, "z", 2), lambda _: 1)
    go.set()
    await trials.rest()
    assert trials.begin(Trial("city", "mia", Kind.POLICY, "z", 3), lambda _: 1).state is TrialState.WAITING
    await trials.rest()


def test_values_have_names() -> None:
    asked = [("severity", Severity), ("slot", WRITTEN), ("trial", ("waiting", "running"))]
    assert not [f"{g}.{v}" for g, values in asked for v in values if f"{g}.{v}" not in words()]
    assert not [g for g in Group if f"signal_total.{g}" not in words()]
