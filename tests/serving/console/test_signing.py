"""Signing in: who gets a session, who does not, and when it ends."""

from __future__ import annotations

import httpx
import pytest

from features.calendar import DAY
from serving.access.accounts import OF_A_NAME, WINDOW, Attempt, WeakPassword, check_password, new_password
from serving.access.model import Role
from serving.access.sessions import end_sessions
from serving.access.users import end_user, set_roles
from serving.store.session import owner_transaction
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import PASSWORD, Guest, person, text_of
from tests.serving.world import Bank

MINUTE = 60_000_000


def test_nobody_sees_a_page_without_a_session_and_comes_back_to_it_after_signing_in(
    bank: Bank, guest: Guest
) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    asked = guest.get("/inbox?level=red")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/console/sign-in?target=/console/inbox%3Flevel%3Dred"
    answer = guest.sign_in("ada", target="/console/inbox?level=red")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/inbox?level=red")
    assert guest.get("/inbox").status_code == 200


def test_a_session_cookie_is_for_this_host_and_no_script(bank: Bank, guest: Guest) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    cookie = guest.sign_in("ada").headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/"))
    secret = cookie.split("=")[1].split(";")[0]
    with owner_transaction(bank.database) as owner:
        rows = owner.execute("SELECT session_hash::text || csrf || agent FROM console_session").fetchall()
    assert rows
    assert not [row for (row,) in rows if secret in row.lower()], "the secret is not stored"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/console//evil.example", "/console/\\evil"]
)
def test_nobody_is_sent_to_another_site(bank: Bank, guest: Guest, target: str) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    assert guest.sign_in("ada", target=target).headers["location"] == "/console/"


@pytest.mark.parametrize(
    ("name", "password", "tenant"),
    [
        ("ada", "wrong wrong wrong", "city"),
        ("nobody", PASSWORD, "city"),
        ("ada", PASSWORD, "other"),
        ("ada", "x" * 300, "city"),
    ],
)
def test_what_is_wrong_is_not_said(bank: Bank, guest: Guest, name: str, password: str, tenant: str) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    answer = guest.sign_in(name, password, tenant)
    assert answer.status_code == 401
    assert "name or password is wrong" in text_of(answer)
    assert "set-cookie" not in answer.headers


def test_who_guesses_is_held_back_and_later_let_in(bank: Bank, guest: Guest) -> None:
    person(bank, "bob", Role.RISK_OFFICER)
    for _ in range(OF_A_NAME):
        assert guest.sign_in("bob", "wrong wrong wrong").status_code == 401
    held = guest.sign_in("bob")
    assert held.status_code == 429
    assert 0 < int(held.headers["retry-after"]) <= WINDOW / 1_000_000
    bank.clock.now += WINDOW + MINUTE
    assert guest.sign_in("bob").status_code == 303


def test_a_stranger_who_fails_on_purpose_locks_a_name_for_strangers_only(
    bank: Bank, console: str, signed: Sign
) -> None:
    own = signed("gus", Role.RISK_OFFICER)
    with httpx.Client(base_url=console) as http:
        stranger = Guest(http)
        for _ in range(OF_A_NAME):
            assert stranger.sign_in("gus", "wrong wrong wrong").status_code == 401
        assert stranger.sign_in("gus").status_code == 429
        assert own.sign_in("gus").status_code == 303, "this browser has been used by gus before"
        mark = own.http.cookies["yidai_browser"]
        for _ in range(OF_A_NAME):
            assert own.sign_in("gus", "wrong wrong wrong").status_code == 401
        assert own.sign_in("gus").status_code == 429, "who has the browser does not guess for ever either"
        http.cookies.set("yidai_browser", mark)
        person(bank, "ida", Role.RISK_OFFICER)
        for _ in range(OF_A_NAME):
            assert stranger.sign_in("ida", "wrong wrong wrong").status_code == 401
        assert stranger.sign_in("ida").status_code == 429, "a mark of gus is none of ida"
    bank.clock.now += WINDOW + MINUTE


def test_failures_are_forgotten_with_their_window(bank: Bank, guest: Guest) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    guest.sign_in("somebody", "wrong wrong wrong")
    bank.clock.now += WINDOW + MINUTE
    assert guest.sign_in("ada").status_code == 303
    with owner_transaction(bank.database) as owner:
        old = owner.execute(
            "SELECT count(*) FROM failed_sign_in WHERE first_at < %s", (bank.clock.now - WINDOW,)
        )
        assert old.fetchone() == (0,)


def test_no_text_of_a_sign_in_shows_its_password() -> None:
    assert PASSWORD not in repr(Attempt("city", "ada", PASSWORD, "", "", "mark"))


def test_a_session_that_nobody_uses_is_over(bank: Bank, signed: Sign) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    bank.clock.now += 29 * MINUTE
    assert guest.get("/inbox").status_code == 200
    bank.clock.now += 29 * MINUTE
    assert guest.get("/inbox").status_code == 200, "it was used meanwhile"
    bank.clock.now += 31 * MINUTE
    over = guest.get("/inbox")
    assert over.status_code == 303
    assert over.headers["location"].endswith("&over=1")
    assert "session has ended" in text_of(guest.get("/sign-in?over=1"))


def test_a_session_is_over_after_half_a_day_however_it_is_used(bank: Bank, signed: Sign) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    for _ in range(24):
        assert guest.get("/inbox").status_code == 200
        bank.clock.now += 30 * MINUTE - MINUTE // 2
    bank.clock.now += 13 * MINUTE
    assert guest.get("/inbox").status_code == 303


def test_signing_out_ends_the_session_in_the_store_too(signed: Sign) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    secret = guest.http.cookies["yidai_session"]
    assert guest.post("/sign-out").status_code == 303
    guest.http.cookies.set("yidai_session", secret)
    assert guest.get("/inbox").status_code == 303


def test_signing_in_again_in_a_browser_ends_the_session_that_it_had(bank: Bank, signed: Sign) -> None:
    guest, other = signed("ada", Role.RISK_OFFICER), signed("ada", Role.RISK_OFFICER)
    person(bank, "ben", Role.RISK_OFFICER)
    before = guest.http.cookies["yidai_session"]
    assert guest.sign_in("ben", "wrong wrong wrong").status_code == 401
    assert guest.get("/inbox").status_code == 200, "who fails ends nothing"
    assert guest.sign_in("ben").status_code == 303
    assert guest.get("/inbox").status_code == 200
    guest.http.cookies.set("yidai_session", before)
    assert guest.get("/inbox").status_code == 303
    assert other.get("/inbox").status_code == 200, "another browser's stays"


def test_an_administrator_ends_sessions_and_other_roles_end_them_too(bank: Bank, signed: Sign) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    assert end_sessions(bank.database, "city", "ada", bank.clock()) >= 1
    assert guest.get("/inbox").status_code == 303
    guest = signed("ada", Role.RISK_OFFICER)
    set_roles(bank.database, "city", "ada", [Role.AUDITOR], bank.clock())
    assert guest.get("/inbox").status_code == 303
    guest.sign_in("ada")
    assert guest.get("/inbox").status_code == 403
    set_roles(bank.database, "city", "ada", [Role.RISK_OFFICER], bank.clock())


def test_who_was_ended_never_comes_in_again(bank: Bank, signed: Sign) -> None:
    guest = signed("eve", Role.RISK_OFFICER)
    end_user(bank.database, "city", "eve", bank.clock())
    assert guest.get("/inbox").status_code == 303
    assert guest.sign_in("eve").status_code == 401


@pytest.mark.parametrize("name", ["li", "A", "wang"])
def test_a_first_password_is_one_that_the_check_takes(name: str) -> None:
    """One in three of those for a name of one letter would hold it."""
    for _ in range(100):
        check_password(name, new_password(name))
    assert new_password("") != new_password("")


def test_a_first_password_opens_nothing_but_the_page_that_changes_it(bank: Bank, guest: Guest) -> None:
    person(bank, "carl", Role.RISK_OFFICER, must_change=True)
    guest.sign_in("carl")
    assert guest.get("/inbox").headers["location"] == "/console/password"
    assert guest.post("/password", old=PASSWORD, new="short").status_code == 422
    assert guest.post("/password", old="wrong wrong wrong", new="another long sentence").status_code == 401
    before = guest.http.cookies["yidai_session"]
    assert guest.post("/password", old=PASSWORD, new="another long sentence").status_code == 303
    assert guest.http.cookies["yidai_session"] != before, "the session is a new one"
    assert guest.get("/inbox").status_code == 200
    assert guest.sign_in("carl").status_code == 401, "the old password opens no more"


@pytest.mark.parametrize("password", ["", "short", "a" * 20, "the name is dora here", "x" * 257])
def test_passwords_that_are_guessed_are_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        check_password("dora", password)


@pytest.mark.parametrize("csrf", ["", "x", "é"])
def test_a_form_that_was_made_elsewhere_does_nothing(signed: Sign, csrf: str) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    assert guest.post("/sign-out", csrf=csrf).status_code == 403
    assert guest.get("/inbox").status_code == 200


def test_the_token_of_another_session_is_none_of_this_one(signed: Sign) -> None:
    one, other = signed("ada", Role.RISK_OFFICER), signed("ann", Role.RISK_OFFICER)
    assert one.post("/sign-out", csrf=other.csrf()).status_code == 403


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/language", "/inbox"])
def test_a_form_that_another_site_sends_is_refused(signed: Sign, path: str) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    fields = {"csrf": guest.csrf(), "tenant": "city", "name": "ada", "password": PASSWORD, "to": "zh"}
    answer = guest.http.post(f"/console{path}", data=fields, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_every_answer_keeps_scripts_frames_and_caches_out(signed: Sign, guest: Guest) -> None:
    for answer in (
        guest.get("/sign-in"),
        signed("ada", Role.RISK_OFFICER).get("/inbox"),
        guest.get("/nothing"),
        guest.get("/inbox"),
    ):
        policy = answer.headers["content-security-policy"]
        assert all(part in policy for part in ("default-src 'none'", "frame-ancestors 'none'"))
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_sessions_end_with_their_time_in_the_store(bank: Bank, signed: Sign) -> None:
    signed("ada", Role.RISK_OFFICER)
    bank.clock.now += 3 * DAY
    signed("ada", Role.RISK_OFFICER)
    with owner_transaction(bank.database) as owner:
        row = owner.execute(
            "SELECT count(*) FROM console_session WHERE ends_at < %s", (bank.clock.now - DAY,)
        ).fetchone()
    assert row == (0,)
