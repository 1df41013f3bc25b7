"""The analyst's and the risk officer's pages of models: what is in force, a version beside the champion, two people."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import psycopg
import pytest

from serving.access.model import Permission, Role
from serving.access.repository import create_token
from serving.console.weights import blocks
from serving.console.words import words
from serving.registry.governance import ModelEntry, State, register
from serving.registry.model import EvidenceKind, Kind, Verdict
from serving.registry.overview import VersionState
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import text_of
from tests.serving.desk import Desk, model, report
from tests.serving.world import Bank, policy_with
from training.promotion import Gate

ENTRY = ModelEntry("bundle.risk", 1, "risk desk", "PD of households", "No firms <b>")


@pytest.fixture(scope="module")
def desk(bank: Bank) -> Desk:
    found = Desk(bank)
    register(bank.database, found.asks("analyst", Permission.SUBMIT), ENTRY, bank.clock())
    return found


def test_what_is_in_force_stands_with_its_day_person_tier_and_owner(desk: Desk, signed: Sign) -> None:
    page = signed("mia", Role.ANALYST).get("/models")
    told = text_of(page)
    for slot, digest in desk.in_force().items():
        assert slot in told
        assert digest[:12] in told
    assert "risk desk" in told
    assert "No firms &lt;b&gt;" in signed("mia", Role.ANALYST).get("/models/slots/bundle.risk").text


def test_versions_are_found_by_kind_and_state_a_page_at_a_time(desk: Desk, signed: Sign, monkeypatch) -> None:
    monkeypatch.setattr("serving.console.models.A_PAGE", 2)
    waiting = [desk.submit(policy_with(policy=f"p{n}"), Kind.POLICY) for n in range(3)]
    mia = signed("mia", Role.ANALYST)
    first = mia.get("/models?kind=policy&state=submitted").text
    assert [name[:12] in first for name in waiting] == [False, True, True], "the newest come first"
    following = re.search(r'rel="next" href="/console([^"]+)"', first)
    assert following
    rest = mia.get(following[1].replace("&amp;", "&")).text
    assert [name[:12] in rest for name in waiting] == [True, False, False]
    assert 'rel="next"' not in rest


def test_a_version_stands_beside_the_champion_with_gates_and_pictures(desk: Desk, signed: Sign) -> None:
    champion, digest = desk.ready(), desk.ready(compared=False)
    desk.promote("bundle.risk", champion)
    mia = signed("mia", Role.ANALYST)
    page = mia.get(f"/models/{digest}")
    told = text_of(page)
    assert "0.7500 (0.7200 to 0.7800)" in told
    assert "not compared with" in told, "the gate that is missed"
    assert f"yidai models validate {digest[:12]}" in told
    pictures = re.findall(r'<img src="/console(/pictures/[^"]+)"', page.text)
    assert len(pictures) == 3
    for each in pictures:
        drawn = mia.get(each)
        assert drawn.headers["content-type"] == "image/svg+xml"
        assert "<svg" in drawn.text
    assert text_of(mia.get(f"/models/{champion}")).count("In force") >= 1


def test_its_author_is_refused_by_the_server_and_another_person_is_not(desk: Desk, signed: Sign) -> None:
    ada, ann = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    digest = desk.submit(model())
    assert ada.post(f"/models/{digest}/approve", verdict="refused").status_code == 422, "a no needs a reason"
    assert ada.post(f"/models/{digest}/approve", verdict="maybe").status_code == 422
    assert ada.post(f"/models/{digest}/approve", verdict="approved").status_code == 303
    assert "You have said" in text_of(ada.get(f"/models/{digest}"))
    again = ada.post(f"/models/{digest}/approve", verdict="refused", reason="No.")
    assert again.status_code == 409
    own = desk_of(desk, "ann").submit(model(), role="ann")
    assert 'value="approved"' not in ann.get(f"/models/{own}").text
    forced = ann.post(f"/models/{own}/approve", verdict="approved")
    assert forced.status_code == 409
    assert "author" in text_of(forced)
    assert ada.post(f"/models/{own}/approve", verdict="approved").status_code == 303


def desk_of(desk: Desk, name: str) -> Desk:
    """The desk with a token of somebody who signs in too."""
    bank = desk.bank
    bank.tokens[name] = create_token(bank.database, "city", name, [Role.RISK_OFFICER], bank.clock())
    return desk


def test_gates_refuse_unless_another_person_waives_them_with_a_reason(desk: Desk, signed: Sign) -> None:
    digest = desk.ready(compared=False)
    ada = signed("ada", Role.RISK_OFFICER)
    before = desk.in_force()["bundle.risk"]
    missed = ada.post(f"/models/{digest}/promote", slot="bundle.risk")
    assert missed.status_code == 409
    assert "champion" in text_of(missed)
    assert ada.post(f"/models/{digest}/promote", slot="bundle.rating").status_code == 422
    silent = ada.post(f"/models/{digest}/promote", slot="bundle.risk", waive=["champion"])
    assert silent.status_code == 422
    assert desk.in_force()["bundle.risk"] == before
    done = ada.post(
        f"/models/{digest}/promote", slot="bundle.risk", waive=["champion"], reason="Compared by hand."
    )
    assert done.status_code == 303
    assert desk.in_force()["bundle.risk"] == digest
    assert "Compared by hand." in text_of(ada.get(f"/models/{digest}"))
    assert ada.post("/models/slots/bundle.risk/rollback").status_code == 303
    assert desk.in_force()["bundle.risk"] == before


def test_a_model_is_registered_and_retired_after_a_look_at_what_hangs_on_it(desk: Desk, signed: Sign) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    fields = {"owner": "desk", "purpose": "Rates.", "limits": "No firms."}
    assert ada.post("/models/slots/bundle.rating/register", tier="9", **fields).status_code == 422
    assert ada.post("/models/slots/bundle.rating/register", tier="x", **fields).status_code == 422
    assert ada.post("/models/slots/bundle.rating/register", tier="2", **fields).status_code == 303
    assert "Rates." in text_of(ada.get("/models/slots/bundle.rating"))
    assert "The policy in force decides by it" in text_of(ada.get("/models/slots/bundle.risk/retire"))
    assert ada.post("/models/slots/bundle.risk/retire", reason="Old.").status_code == 409
    assert ada.post("/models/slots/bundle.rating/retire").status_code == 422
    assert ada.post("/models/slots/bundle.rating/retire", reason="Old.").status_code == 303
    assert "bundle.rating" not in desk.in_force()


def test_the_dossier_and_the_report_are_given_away_in_a_cage(desk: Desk, signed: Sign) -> None:
    digest = desk.ready()
    mia = signed("mia", Role.ANALYST)
    got = mia.get(f"/models/{digest}/dossier.zip")
    names = zipfile.ZipFile(io.BytesIO(got.content)).namelist()
    assert {"bundle.json", "report.json", "manifest.json", "model_card.md"} <= set(names)
    card = mia.get(f"/models/{digest}/files/model_card.md")
    assert "sandbox" in card.headers["content-security-policy"]
    assert mia.get(f"/models/{digest}/files/bundle.json").status_code == 404
    assert mia.get(f"/models/{digest}/files/report.html").status_code == 404, "a report of before has no page"


def test_the_number_of_queries_does_not_grow_with_the_versions(desk: Desk, signed: Sign, monkeypatch) -> None:
    asked: list[str] = []
    real = psycopg.Connection.execute

    def counted(self: Any, query: Any, *values: Any, **more: Any) -> Any:
        asked.append(str(query))
        return real(self, query, *values, **more)

    mia = signed("mia", Role.ANALYST)
    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    counts = []
    for _ in range(2):
        assert mia.get("/models").status_code == 200
        asked.clear()
        assert mia.get("/models").status_code == 200
        counts.append(len(asked))
        for _ in range(4):
            desk.submit(model())
    assert counts[0] == counts[1] > 0


def test_what_is_unknown_or_anothers_is_not_found_and_roles_hold(desk: Desk, signed: Sign) -> None:
    mia = signed("mia", Role.ANALYST)
    digest = desk.submit(model())
    assert mia.get(f"/models/{'0' * 64}").status_code == 404
    assert mia.get("/models/slots/bundle.nothing").status_code == 404
    for path in (f"/models/{digest}/approve", f"/models/{digest}/promote", "/models/slots/policy/rollback"):
        assert mia.post(path, verdict="approved", slot="bundle.risk").status_code == 403
    assert mia.get("/models/slots/bundle.risk/retire").status_code == 403
    eve = signed("eve", Role.AUDITOR)
    assert eve.get(f"/models/{digest}").status_code == 200
    assert eve.post("/models/slots/bundle.risk/register", tier="1").status_code == 403


def test_a_version_without_a_report_says_how_to_bring_it(desk: Desk, signed: Sign) -> None:
    digest, mia = desk.submit(model()), signed("mia", Role.ANALYST)
    bring = f"yidai models attach {digest[:12]} report.json"
    assert bring in text_of(mia.get(f"/models/{digest}"))
    desk.attach(digest, EvidenceKind.REPORT, report(digest))
    assert bring not in text_of(mia.get(f"/models/{digest}"))


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("kind", Kind),
        ("version_state", VersionState),
        ("said", Verdict),
        ("evidence", EvidenceKind),
        ("model_state", State),
        ("gate", Gate),
    ],
)
def test_every_value_has_a_name(group: str, values: list[str]) -> None:
    assert not [value for value in values if f"{group}.{value}" not in words()]


def test_a_card_is_told_by_its_parts() -> None:
    text = (
        "# a.b\n\nOne\nline.\n\n## Part\n\n- one\n- `two`\n\n| x | y \\| z |\n| --- | --- |\n| &lt;b> | 2 |\n"
    )
    assert [(each.kind, each.lines) for each in blocks(text)] == [
        ("title", (("a.b",),)),
        ("text", (("One line.",),)),
        ("part", (("Part",),)),
        ("list", (("one",), ("two",))),
        ("table", (("x", "y | z"), ("<b>", "2"))),
    ]
