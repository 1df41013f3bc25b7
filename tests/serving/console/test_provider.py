"""Signing in at an identity provider: a real one, in a process of its own."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from features.errors import YidaiError
from serving.access.model import Role
from serving.access.provider import (
    InsecureIssuer,
    LinkedElsewhere,
    NotProven,
    Provider,
    ProviderDown,
    _subject,
    link,
)
from serving.access.users import end_user
from serving.console.app import create_console
from tests.serving.console.desk import Guest, person, text_of
from tests.serving.world import Bank, running

CLIENT, SECRET = "yidai-console", "a client's secret"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The provider's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://localhost:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{address}/.well-known/openid-configuration").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def console(bank: Bank, issuer: str) -> Iterator[str]:
    """A console whose people come from the provider."""
    settings = replace(bank.settings, oidc_issuer=issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET)
    app = create_console(settings, bank.database, bank.clock)
    with running(app) as address:
        app.state.provider.redirect = f"{address}/console/sign-in/provider/back"
        yield address


def begin(guest: Guest, target: str = "/console/inbox") -> str:
    """On to the provider; its address."""
    answer = guest.http.post("/console/sign-in/provider", data={"target": target})
    assert answer.status_code == 200, answer.text
    (found,) = re.findall(r"id=.on. href=.([^\"]+)", answer.text)
    return unescape(found)


def agreed(address: str, subject: str) -> str:
    """Say at the provider who one is; the address to which it sends back."""
    answer = httpx.post(address, data={"sub": subject})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def test_who_is_linked_comes_in_and_lands_where_it_wanted_to_go(
    bank: Bank, issuer: str, guest: Guest
) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    link(bank.database, "city", "ada", issuer, "ada@bank", bank.clock())
    link(bank.database, "city", "ada", issuer, "ada@bank", bank.clock())
    asked = parse_qs(urlsplit(address := begin(guest)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["nonce"]
    assert asked["state"]
    answer = guest.http.get(agreed(address, "ada@bank"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/inbox"), answer.text
    assert "ada" in text_of(guest.get("/inbox"))


def test_whom_nobody_has_let_in_is_told_what_to_ask_for(guest: Guest) -> None:
    answer = guest.http.get(agreed(begin(guest), "mallory"))
    assert answer.status_code == 403
    assert "yidai users link NAME" in text_of(answer)
    assert guest.get("/inbox").status_code == 303


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    bank: Bank, issuer: str, guest: Guest, console: str
) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    link(bank.database, "city", "ada", issuer, "ada@bank", bank.clock())
    back = agreed(begin(guest), "ada@bank")
    with httpx.Client(base_url=console) as other:
        assert other.get(back).status_code == 401, "the other browser has no state"
        other.cookies.set("yidai_sign_in", "x" * 43)
        assert other.get(back).status_code == 401, "nor does one that makes it up"
    state = guest.http.cookies["yidai_sign_in"]
    assert guest.http.get(back).status_code == 303
    guest.http.cookies.clear()
    guest.http.cookies.set("yidai_sign_in", state)
    assert guest.http.get(back).status_code == 401, "it has been used"


def test_a_code_of_another_sign_in_is_refused(bank: Bank, issuer: str, guest: Guest, console: str) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    link(bank.database, "city", "ada", issuer, "ada@bank", bank.clock())
    with httpx.Client(base_url=console) as attacker:
        stolen = parse_qs(urlsplit(agreed(begin(Guest(attacker)), "ada@bank")).query)["code"][0]
    own = urlsplit(agreed(begin(guest), "mallory"))
    state = parse_qs(own.query)["state"][0]
    answer = guest.http.get(f"{own.path}?code={stolen}&state={state}")
    assert answer.status_code == 401, "its verifier and nonce are the other browser's"


def test_a_sign_in_that_took_too_long_begins_again(bank: Bank, guest: Guest) -> None:
    back = agreed(begin(guest), "ada@bank")
    bank.clock.now += 11 * 60_000_000
    assert guest.http.get(back).status_code == 401


def test_an_identity_stands_for_one_person(bank: Bank, issuer: str) -> None:
    person(bank, "ada", Role.RISK_OFFICER)
    person(bank, "ann", Role.RISK_OFFICER)
    link(bank.database, "city", "ada", issuer, "one", bank.clock())
    with pytest.raises(LinkedElsewhere):
        link(bank.database, "city", "ann", issuer, "one", bank.clock())


def test_an_answer_of_another_issuer_is_refused(bank: Bank, issuer: str, guest: Guest) -> None:
    back = agreed(begin(guest), "ada@bank")
    assert guest.http.get(f"{back}&iss=https://other.example").status_code == 401


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"aud": CLIENT, "sub": "ada"}, ""),
        ({"aud": [CLIENT], "sub": "ada", "azp": CLIENT}, ""),
        ({"aud": [CLIENT, "other"], "sub": "ada", "azp": CLIENT}, ""),
        ({"aud": [CLIENT, "other"], "sub": "ada"}, "azp"),
        ({"aud": CLIENT, "sub": "ada", "azp": "other"}, "azp"),
        ({"aud": CLIENT, "sub": ""}, "sub"),
        ({"aud": CLIENT, "sub": 7}, "sub"),
        ({"aud": CLIENT, "sub": "a\0b"}, "sub"),
        ({"aud": CLIENT, "sub": "a" * 256}, "sub"),
    ],
)
def test_a_token_is_for_this_console_and_names_somebody(claims: dict[str, Any], problem: str) -> None:
    if not problem:
        assert _subject(claims, CLIENT) == "ada"
        return
    with pytest.raises(NotProven, match=problem):
        _subject(claims, CLIENT)


def test_who_was_ended_frees_the_identity_for_the_next(bank: Bank, issuer: str, guest: Guest) -> None:
    person(bank, "olga", Role.RISK_OFFICER)
    person(bank, "pia", Role.RISK_OFFICER)
    link(bank.database, "city", "olga", issuer, "desk@bank", bank.clock())
    end_user(bank.database, "city", "olga", bank.clock())
    assert guest.http.get(agreed(begin(guest), "desk@bank")).status_code == 403
    link(bank.database, "city", "pia", issuer, "desk@bank", bank.clock())
    assert guest.http.get(agreed(begin(guest), "desk@bank")).status_code == 303


@pytest.mark.parametrize("about", [
    {}, {"token_endpoint": 7}, {"token_endpoint": "http://sso.bank.example/token"},
])  # fmt: skip
def test_an_endpoint_that_is_missing_or_not_encrypted_is_not_asked(about: dict[str, Any]) -> None:
    provider = Provider("https://sso.bank.example", CLIENT, SECRET, "", {"issuer": "x"} | about)
    with pytest.raises(ProviderDown):
        provider._said("token_endpoint")
    assert SECRET not in repr(provider)


def test_a_provider_over_plain_http_in_a_network_is_refused() -> None:
    with pytest.raises(InsecureIssuer):
        Provider("http://sso.bank.example", CLIENT, SECRET, "")


def test_a_provider_that_is_down_is_told_as_that(bank: Bank) -> None:
    provider = Provider("http://127.0.0.1:9", CLIENT, SECRET, "")
    with pytest.raises(YidaiError, match="does not answer"):
        provider.start(bank.database, "/console/", bank.clock())
