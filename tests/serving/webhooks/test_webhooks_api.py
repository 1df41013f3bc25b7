"""A webhook is registered, rotated and removed by who may, and leads nowhere inside."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from serving.cli import app
from serving.settings import Settings
from serving.store.session import owner_transaction
from serving.webhooks.address import WrongUrl, check_url, look_up
from serving.webhooks.delivering import Told
from tests.serving.webhooks.conftest import register
from tests.serving.webhooks.receiving import Receiver, documented_check
from tests.serving.world import Bank, Client, asking, problem

INSIDE = (
    "https://127.0.0.1/x", "https://localhost/x", "https://10.1.2.3", "https://192.168.0.1:8443/x", "https://172.16.9.9/",
    "https://169.254.169.254/latest/meta-data", "https://[::1]/", "https://[fe80::1]/", "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/", "https://2130706433/", "https://0x7f.1/", "https://127.1/",
    "https://db.internal/", "https://printer.local/", "https://224.0.0.1/", "https://100.64.0.1/",
    "https://[64:ff9b::a00:1]/", "https://[64:ff9b::5db8:d822]/", "https://[64:ff9b:1::a00:1]/", "https://[::10.0.0.1]/",
    "https://[::93.184.216.34]/", "https://[fec0::1]/", "https://localhost./", "https://127.0.0.1./", "https://db.internal./",
)  # fmt: skip
WRONG = (
    "http://bank.example/", "ftp://bank.example/", "https://", "//bank.example", "https://a:b@bank.example/",
    "https://bank.example/#x", "https://bank.example:99999/", "https://bank.example/a b", "https://[::1", "",
    "https://bank.example/" + "x" * 500, "https://localhost../", "https://bank.example/110101199003077416",
    "https://bank.example/told?who=110101-19900307-7416", "https://bank.example/told?who=110101%2019900307%207416",
    "https://bank.example/1101011990%3077416", "https://bank.example/told?token=abc", "https://bank.example/told?x=1&api_key=abc",
    "https://bank.example/told?Client-Secret=", "https://:b@bank.example/",
)  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
def test_what_only_this_network_reaches_is_refused_unless_a_setting_lets_it(url: str) -> None:
    with pytest.raises(WrongUrl, match="YIDAI_WEBHOOKS_PRIVATE"):
        check_url(url, private=False)
    check_url(url, private=True)


@pytest.mark.parametrize("url", WRONG)
def test_what_is_no_https_url_is_refused_always(url: str) -> None:
    for private in (False, True):
        with pytest.raises(WrongUrl):
            check_url(url, private=private)


@pytest.mark.parametrize(
    "url", ["https://bank.example/told?tenant=7", "https://bank.example./tokens?by=author"]
)
def test_an_address_and_a_query_that_say_nothing_secret_are_let(url: str) -> None:
    check_url(url, private=False)


def test_a_refusal_of_a_url_does_not_repeat_it(client: Client) -> None:
    for url in (
        "https://bank.example/110101-19900307-7416",
        "https://u:hidden7416@bank.example/",
        "https://b.example/?token=u7416",
    ):
        got = client.ask("POST", "/v1/webhooks", json={"url": url})
        problem(got, 422, "wrong_url")
        assert "7416" not in got.text


def test_a_name_that_leads_inside_is_refused_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up stands for a name server that turned; the call goes to the address that was checked."""
    found = [(0, 0, 0, "", ("93.184.216.34", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    target = look_up("https://bank.example/told?x=1", private=False)
    assert (target.url, target.authority) == ("https://93.184.216.34:443/told?x=1", "bank.example")
    found.append((0, 0, 0, "", ("10.0.0.1", 443)))
    with pytest.raises(WrongUrl):
        look_up("https://bank.example/told", private=False)


def test_a_webhook_is_registered_listed_rotated_and_removed(
    client: Client, bank: Bank, receiver: Receiver, turn
) -> None:
    hook = register(client, receiver, "decision.made", "decision.made")
    assert hook["kinds"] == ["decision.made"]
    assert hook["secret"].startswith("whsec_")
    assert 24 <= len(base64.b64decode(hook["secret"].removeprefix("whsec_"))) <= 64
    problem(client.ask("POST", "/v1/webhooks", json={"url": receiver.url}), 409, "endpoint_there")
    (listed,) = client.ask("GET", "/v1/webhooks").json()
    assert listed == {name: value for name, value in hook.items() if name != "secret"}
    path = f"/v1/webhooks/{hook['endpoint_id']}"
    fresh = client.ask("POST", f"{path}/rotate").json()["secret"]
    assert fresh != hook["secret"]
    client.ask("POST", f"{path}/test")
    assert turn() == Told(delivered=1)
    headers, body = receiver.came[-1]
    check, now = documented_check(), bank.clock.now / 1e6
    assert check(fresh, headers, body, now) == check(hook["secret"], headers, body, now)
    client.ask("POST", f"{path}/test")
    turn(25 * 3600)
    headers, body = receiver.came[-1]
    now = bank.clock.now / 1e6
    assert check(fresh, headers, body, now)
    with pytest.raises(ValueError, match="not signed"):
        check(hook["secret"], headers, body, now)
    client.ask("POST", f"{path}/test")
    assert client.ask("DELETE", path).status_code == 204
    assert turn() == Told(), "also not what waited"
    problem(client.ask("DELETE", path), 404, "unknown_endpoint")
    assert client.ask("GET", "/v1/webhooks").json() == []


def test_a_secret_is_stored_sealed_and_what_happened_is_in_the_audit_log(
    client: Client, bank: Bank, receiver: Receiver
) -> None:
    hook = register(client, receiver)
    raw = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    with owner_transaction(bank.database) as owner:
        (stored,) = owner.execute("SELECT secret FROM webhook_endpoint").fetchone()
        assert raw not in bytes(stored)
        told = "SELECT action FROM audit_log WHERE object = %s"
        assert owner.execute(told, (hook["endpoint_id"],)).fetchall() == [("webhook.added",)]


def test_another_tenants_webhook_is_an_unknown_one(client: Client, receiver: Receiver) -> None:
    hook, stranger = register(client, receiver), client.as_("stranger")
    name = hook["endpoint_id"]
    for method, rest in (("DELETE", ""), ("POST", "/rotate"), ("POST", "/test"), ("GET", "/deliveries")):
        theirs = stranger.ask(method, f"/v1/webhooks/{name}{rest}")
        nobodys = stranger.ask(method, f"/v1/webhooks/{uuid4()}{rest}")
        assert problem(theirs, 404) == problem(nobodys, 404)
    delivery = client.ask("POST", f"/v1/webhooks/{name}/test").json()["delivery_id"]
    problem(
        stranger.ask("POST", f"/v1/webhooks/{name}/deliveries/{delivery}/replay"), 404, "unknown_endpoint"
    )
    assert stranger.ask("GET", "/v1/webhooks").json() == []


def test_without_the_setting_nothing_inside_is_registered_or_called(
    bank: Bank, client: Client, receiver: Receiver
) -> None:
    from serving.webhooks.delivering import deliver_all

    hook = register(client, receiver)
    client.ask("POST", f"/v1/webhooks/{hook['endpoint_id']}/test")
    assert deliver_all(bank.settings, bank.database, bank.clock) == Told(failed=1)
    assert receiver.came == []
    with asking(bank) as strict:
        told = problem(strict.ask("POST", "/v1/webhooks", json={"url": receiver.url}), 422, "wrong_url")
        assert told["place"] == "url"


def test_the_commands(
    bank: Bank, private: Settings, receiver: Receiver, turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "YIDAI_DATABASE_URL": private.database_url, "YIDAI_HOME": str(private.home), "YIDAI_WEBHOOKS_PRIVATE": "yes",
        "YIDAI_MASTER_KEY_FILE": str(private.master_key_file), "YIDAI_TOKEN": bank.tokens["administrator"],
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def yidai(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["webhooks", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    added = yidai("add", receiver.url, "--kind", "decision.made")
    name, secret = added.split()[0], added.split()[-1]
    assert secret.startswith("whsec_")
    assert name in yidai("list", "--json")
    receiver.status = 503
    assert "waits for a worker" in yidai("test", name)
    bank.clock.now += (
        3600 * 24 * 365 * 100 * 1_000_000
    )  # commands go by the wall's clock, the worker by the test's
    assert turn() == Told(failed=1)
    assert "answered 503" in yidai("deliveries", name, "--state", "waiting", "--json")
    assert "0 deliveries" in yidai("replay", name)
    assert yidai("rotate", name).strip() not in {secret, ""}
    yidai("remove", name)
    assert "[]" in yidai("list", "--json")
