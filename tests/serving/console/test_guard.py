"""What stands around every page: hosts, headers, sizes, and characters that nothing can keep."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from serving.access import browsers
from serving.access.model import Role
from serving.console.asking import local_target
from serving.console.guard import Guarded
from serving.console.pages import HEADERS
from serving.settings import Settings
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest

FORM = {"content-type": "application/x-www-form-urlencoded"}
UTF7 = {"content-type": "multipart/form-data; boundary=x; charset=utf-7"}
TEXTS = st.text(max_size=40)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"]
)
def test_a_name_that_is_not_ours_is_refused_whatever_is_asked(guest: Guest, host: str) -> None:
    for path in ("/console/sign-in", "/console/inbox", "/"):
        answer = guest.http.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_host")
        assert "location" not in answer.headers
    assert guest.http.get("/health/live", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8200", "[::1]:8200"])
def test_this_machine_is_ours(guest: Guest, host: str) -> None:
    assert guest.http.get("/console/sign-in", headers={"host": host}).status_code == 200


async def test_over_https_the_setting_is_the_name_and_browsers_come_back_over_https_only() -> None:
    app = FastAPI()
    app.add_middleware(Guarded, settings=Settings(console_url="https://risk.bank.example"))
    app.get("/console/x")(lambda: "")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://risk.bank.example"
    ) as http:
        answer = await http.get("/console/x")
        assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
        assert (await http.get("/console/x", headers={"host": "bank.example"})).status_code == 422


def test_every_kind_of_answer_keeps_scripts_frames_and_caches_out(guest: Guest) -> None:
    large = guest.http.post("/console/sign-in", content=b"x" * 1_100_000, headers=FORM)
    assert large.status_code == 413
    answers = [
        large,
        *map(guest.http.get, ("/", "/console/inbox/", "/console/sign-in?x=%00", "/health/live", "/x")),
    ]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)


def test_no_address_is_answered_by_a_redirect_that_names_a_host(guest: Guest) -> None:
    for path in ("/", "/console", "/console/", "/console/inbox", "/console/inbox/", "/console//evil.example"):
        assert guest.http.get(path).headers.get("location", "/console").startswith("/console"), path


def test_the_console_without_its_slash_leads_to_it(guest: Guest) -> None:
    answer = guest.get("")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")


@pytest.mark.parametrize("name", [
    "../app.py", "..%2fapp.py", "%2e%2e/app.py", "....//app.py", "/etc/passwd", "app.py", "console.css/..", "console.css%00",
])  # fmt: skip
def test_no_path_leads_out_of_the_files_that_are_served(guest: Guest, name: str) -> None:
    answer = guest.http.get(f"/console/static/0123456789ab/{name}")
    assert answer.status_code in {404, 422}
    assert "import" not in answer.text


@pytest.mark.parametrize(
    "body", [b"a&" * 200_000, b"name=x&" * 100_000, b"name=x&tenant=y&password=" + b"z" * 5_000]
)
def test_a_form_of_too_many_or_too_long_fields_is_refused(guest: Guest, body: bytes) -> None:
    assert guest.http.post("/console/sign-in", content=body, headers=FORM).status_code in {400, 422}


def test_a_form_of_very_many_parts_or_with_a_file_is_refused(signed: Sign) -> None:
    guest = signed("ada", Role.RISK_OFFICER)
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(1_200))
    many = guest.http.post(
        "/console/sign-out",
        content=parts + b"--x--\r\n",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert many.status_code == 400
    file = guest.http.post("/console/sign-out", files={"csrf": ("a.txt", b"1")})
    assert file.status_code == 400
    assert guest.get("/inbox").status_code == 200


@pytest.mark.parametrize("send", [
    lambda guest: guest.sign_in("a\0b"), lambda guest: guest.sign_in("ada", tenant="ci\0ty"),
    lambda guest: guest.get("/inbox?loan=%00"), lambda guest: guest.post("/users/a%00b/end"),
    lambda guest: guest.post("/users", name="a\0b", role="auditor"),
    lambda guest: guest.post("/users/root/link", subject="a\0b"),
    lambda guest: guest.http.post("/console/sign-in", content=b"tenant=%ff&name=%ed%a0%80&password=x", headers=FORM),
])  # fmt: skip
def test_what_no_text_can_hold_is_the_senders_fault(
    signed: Sign, send: Callable[[Guest], httpx.Response]
) -> None:
    guest = signed("root", Role.ADMINISTRATOR)
    assert 400 <= send(guest).status_code < 500


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_mark_tells_its_own_persons_browser_and_nobody_elses(
    tenant: str, name: str, other: str, junk: str
) -> None:
    key = b"k" * 32
    made = browsers.mark(key, tenant, name)
    assert browsers.known(key, made, tenant, name)
    assert not browsers.known(b"other" * 7, made, tenant, name)
    assert not browsers.known(key, junk, tenant, name)
    assert bool(browsers.known(key, made, tenant, other)) is (other == name)


@given(st.one_of(st.text(), st.text("/\\.:@%?#\t\n evil", max_size=30).map("/console/".__add__)))
def test_whatever_is_asked_for_leads_to_a_page_of_the_console(text: str) -> None:
    found = local_target(text)
    assert found.startswith("/console/")
    assert not {"\\", "\n", "\t", "\r"} & set(found)
    assert "//" not in found


def in_utf7(fields: dict[str, str]) -> bytes:
    """A form in a charset that can say half a character."""
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (name.encode("utf-7"), value.encode("utf-7"))
        for name, value in fields.items()
    ]
    return b"".join(parts) + b"--x--\r\n"


@pytest.mark.parametrize(("field", "status"), [("name", 422), ("role", 422), ("csrf", 403), ("\ud800", 422)])
def test_half_a_character_in_a_form_of_another_charset_is_the_senders_fault(
    signed: Sign, field: str, status: int
) -> None:
    root = signed("root", Role.ADMINISTRATOR)
    fields = {"csrf": root.csrf(), "name": "whole", "role": "auditor", field: "\ud800"}
    answer = root.http.post("/console/users", content=in_utf7(fields), headers=UTF7)
    assert answer.status_code == status
    assert root.get("/users/whole").status_code == 404


@pytest.mark.parametrize("field", ["tenant", "name", "password", "target"])
def test_half_a_character_at_the_sign_in_is_the_senders_fault(guest: Guest, field: str) -> None:
    fields = {"tenant": "city", "name": "ada", "password": "x", field: "\ud800"}
    answer = guest.http.post("/console/sign-in", content=in_utf7(fields), headers=UTF7)
    assert answer.status_code in {401, 422}
