"""Whatever form of whatever page is refused, it comes back as it was sent; no form can be added that does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from importlib.resources import files
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from serving.access.model import Role
from serving.console.app import ROUTERS
from serving.console.refill import NEVER, WORDS, CameBack, refilled
from tests.serving.alerts.desk import forget_alerts, name_of, raised, sighting
from tests.serving.analytics.desk import found_wanting
from tests.serving.classes.desk import classed
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest
from tests.serving.desk import Desk, model
from tests.serving.world import Bank

TEMPLATES = {
    path.name: path.read_text(encoding="utf-8") for path in (files("serving.console") / "templates").iterdir()
}
FORM = re.compile(r'<form method="post"([^>]*)>(.*?)</form>', re.DOTALL)
NOBODYS = ("/language", "/sign-in", "/sign-in/provider")
"""Forms without a session: what is typed there is a name and a password."""
OWN = "My own „words“ <b> 七"
SPOILED = {"content-type": "multipart/form-data; boundary=x; charset=utf-7"}


def named_fields(body: str) -> list[str]:
    """The fields into which people write."""
    tags = re.findall(r"<(?:input|textarea)\b[^>]*>", body)
    plain = [tag for tag in tags if not re.search(r'type="(?:hidden|checkbox|radio|password|date)"', tag)]
    return [name for tag in plain for name in re.findall(r'\sname="([^"]+)"', tag) if name not in NEVER]


def spoiled(guest: Guest, address: str, fields: list[tuple[str, str]]) -> httpx.Response:
    """A form that is refused whatever it is about: a field beside its own is half a character."""
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (name.encode("utf-7"), value.encode("utf-7"))
        for name, value in [*fields, ("beside", "\ud800")]
    ]
    return guest.http.post(
        address, content=b"".join(parts) + b"--x--\r\n", headers=SPOILED | {"accept-language": "en"}
    )


@pytest.fixture
def alert(bank: Bank) -> Iterator[UUID]:
    """One alert."""
    forget_alerts(bank)
    raised(bank, [sighting("L-A")])
    yield name_of(bank, "L-A")
    forget_alerts(bank)


@pytest.mark.parametrize("name", [name for name, text in TEMPLATES.items() if '<form method="post"' in text])
def test_each_form_of_a_template_says_whose_it_is_and_from_which_page(name: str) -> None:
    for attributes, body in FORM.findall(TEMPLATES[name]):
        nobodys = any(f"{{{{ root }}}}{each}" in attributes for each in NOBODYS)
        assert nobodys or '{% include "csrf.html" %}' in body, (name, attributes)


def test_every_field_for_sentences_is_known_as_one() -> None:
    found = {
        name for text in TEMPLATES.values() for name in re.findall(r'<textarea[^>]*\sname="(\w+)"', text)
    }
    assert found <= WORDS
    assert not WORDS & NEVER


def test_the_pages_of_every_form_bring_it_back(bank: Bank, signed: Sign, alert: UUID) -> None:
    classed(bank, "L-A")
    found_wanting(bank, "city")
    digest = Desk(bank).submit(model())
    pages = {
        "/inbox": Role.RISK_OFFICER, f"/alerts/{alert}": Role.RISK_OFFICER, "/portfolio/classes": Role.RISK_OFFICER,
        f"/models/{digest}": Role.RISK_OFFICER, "/models/slots/bundle.risk": Role.ANALYST,
        "/portfolio/issues": Role.ANALYST, "/policy/edit/monitoring": Role.ANALYST, "/audit": Role.AUDITOR,
        "/audit/access": Role.AUDITOR, "/users": Role.ADMINISTRATOR, "/users/shop": Role.ADMINISTRATOR,
    }  # fmt: skip
    signed("root", Role.ADMINISTRATOR).post("/users", name="shop", role=["integration_engineer"])
    seen = 0
    for path, role in pages.items():
        guest = signed(f"as {role}", role)
        text = guest.get(path).text
        for attributes, body in FORM.findall(text):
            fields = named_fields(body)
            if not fields:
                continue
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', body)
            address = re.search(r'action="([^"]+)"', attributes)
            sent = [(name, unescape(value)) for name, value in hidden] + [(name, OWN) for name in fields]
            answer = spoiled(guest, unescape(address[1]) if address else f"/console{path}", sent)
            assert answer.status_code == 422, (path, attributes)
            assert answer.text.count(str(escape(OWN))) == len(fields), (path, attributes, fields)
            assert "<b> 七" not in answer.text
            seen += 1
    assert seen == 9


def test_words_whose_form_is_gone_stand_above_the_page_and_secrets_never(signed: Sign, alert: UUID) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    gone = ada.post(f"/alerts/{alert}", page="/console/inbox", kind="visit", reason=OWN, version="99")
    assert gone.status_code == 409
    assert f'<pre tabindex="0">{escape(OWN)}</pre>' in gone.text
    nowhere = ada.post(f"/alerts/{alert}", page="/console/nowhere", kind="visit", reason=OWN, version="99")
    assert f'<pre tabindex="0">{escape(OWN)}</pre>' in nowhere.text
    stream = ada.post(
        f"/alerts/{alert}", page="/console/inbox/events", kind="visit", reason=OWN, version="99"
    )
    assert (stream.status_code, str(escape(OWN)) in stream.text) == (409, True)
    wrong = ada.post("/password", page="/console/password", old="old secret 1", new="x")
    assert wrong.status_code >= 400
    assert "old secret 1" not in wrong.text


def test_what_another_site_sends_is_never_put_into_a_form(signed: Sign, alert: UUID) -> None:
    ada = signed("ada", Role.RISK_OFFICER)
    for answer in (ada.post(f"/alerts/{alert}", csrf="made up", reason=OWN),):
        assert (answer.status_code, str(escape(OWN)) in answer.text) == (403, False)


def test_every_form_that_is_taken_is_of_a_session_or_known_as_nobodys() -> None:
    posts = {route.path for router in ROUTERS for route in router.routes if "POST" in route.methods}  # type: ignore[attr-defined]
    open_to_all = {
        route.path
        for router in ROUTERS
        for route in router.routes
        if "POST" in route.methods and "sent" not in {one.name for one in route.dependant.dependencies}  # type: ignore[attr-defined]
    }
    assert open_to_all == {f"/console{each}" for each in NOBODYS}
    assert len(posts) > 25


@given(note=st.text(), name=st.text(), marked=st.booleans())
def test_a_page_with_its_form_filled_differs_by_what_was_typed_alone(
    *, note: str, name: str, marked: bool
) -> None:
    page = (
        '<form method="post" action="/a"><input name="name" value="old"><textarea name="note">old</textarea>'
        '<input type="checkbox" name="yes" value="1"{}></form>'
    ).format("" if marked else " checked")
    back = CameBack(
        address="/a", typed={"name": [name], "note": [note], **({"yes": ["1"]} if marked else {})}
    )
    full, lost = refilled(page, "/x", back)
    assert full == (
        f'<form method="post" action="/a"><input name="name" value="{escape(name)}">'
        f'<textarea name="note">\n{escape(note)}</textarea>'
        f'<input type="checkbox" name="yes" value="1"{" checked" if marked else ""}></form>'
    )
    assert not lost
    assert refilled(page, "/x", CameBack(address="/b", typed={"note": [note]})) == (
        page,
        [note] if note else [],
    )
