"""Every route, every role, every place for an id: a foreign id is answered as one that does not exist, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from features.errors import YidaiError
from serving import operations
from serving.access.model import GRANTED, Permission, Role
from serving.alerts import operations as alerts
from serving.alerts.model import Action, ActionKind
from serving.cases import operations as cases
from serving.log import operations as log
from serving.registry.model import Kind
from serving.registry.service import activate, approve, submit
from serving.rights import operations as rights
from serving.settings import Settings
from tests.serving.access.matrix import KINDS, Place, digests, furnished, places, second_bank, send, told
from tests.serving.access.routes import ROUTES, described
from tests.serving.world import GOOD, Bank, Client, scorecard

PERMISSIONS = {(method, described(path)): permission for (method, path), permission in ROUTES.items()}


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    """What the API says of itself."""
    found: dict[str, Any] = client.http.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def other(bank: Bank, client: Client) -> Client:
    """The asker: an engineer of the second bank, which is as ready as the first."""
    return Client(client.http, second_bank(bank))


@pytest.fixture(scope="module")
def theirs(client: Client) -> dict[str, str]:
    """Ids of the first bank, which are foreign to the asker."""
    return furnished(client)


@pytest.fixture(scope="module")
def own(other: Client) -> dict[str, str]:
    """Ids of the asker's bank."""
    return furnished(other)


def test_every_place_for_an_id_is_one_that_the_matrix_knows(document: dict[str, Any]) -> None:
    unknown = [place for place in places(document) if place.name not in KINDS]
    assert unknown == [], "say in matrix.py what these are ids of, or that they name nothing of a tenant's"
    assert {place.within for place in places(document)} == {"path", "query", "body"}
    assert {KINDS[place.name] for place in places(document)} == set(KINDS.values())


def test_an_id_of_another_tenant_is_answered_as_one_that_does_not_exist(
    document: dict[str, Any], bank: Bank, other: Client, own: dict[str, str], theirs: dict[str, str]
) -> None:
    before, tried = digests(bank, "city"), 0
    for place, role in product(places(document), Role):
        asker, kind = other.as_(role.value), KINDS[place.name]
        # the id alone, among the asker's own; and all ids together, as somebody copies them from elsewhere
        for mixed in (True, False):
            foreign = own | {kind: theirs[kind]} if mixed else theirs
            nowhere = own | {kind: str(uuid4())} if mixed else {name: str(uuid4()) for name in own}
            of_foreign = told(send(asker, place, foreign), foreign)
            of_nothing = told(send(asker, place, nowhere), nowhere)
            assert of_foreign == of_nothing, (place, role)
            allowed = PERMISSIONS[place.method, place.path] in GRANTED[role]
            listed = "batch" in place.path or place.path == "/v1/alerts"  # line by line, or a list of nothing
            refused = {403, 404, 200 if listed else 403}
            assert of_foreign[0] in (refused if allowed else {403}), (place, role, of_foreign)
            tried += 1
    assert tried > 300
    assert digests(bank, "city") == before


def test_and_ones_own_is_answered_otherwise(
    document: dict[str, Any], other: Client, own: dict[str, str], theirs: dict[str, str]
) -> None:
    order = {"GET": 0, "POST": 1, "DELETE": 2}
    routes: dict[tuple[str, str], list[Place]] = {}
    for place in sorted(places(document), key=lambda each: order[each.method]):
        routes.setdefault((place.method, place.path), []).append(place)
    for route, ids in routes.items():
        asker = other.as_(next(role.value for role in Role if PERMISSIONS[route] in GRANTED[role]))
        foreign = [own | {KINDS[place.name]: theirs[KINDS[place.name]]} for place in ids]
        refused = [told(send(asker, place, sent), sent) for place, sent in zip(ids, foreign, strict=True)]
        assert told(send(asker, ids[-1], own), own) not in refused, route


def refusal_of(command: Callable[[], Any]) -> tuple[str, str]:
    """Kind and text of a command's refusal."""
    with pytest.raises(YidaiError) as refused:
        command()
    return type(refused.value).__name__, str(refused.value)


def test_commands_refuse_a_foreign_name_as_one_that_does_not_exist(
    bank: Bank, other: Client, theirs: dict[str, str]
) -> None:
    analyst, bundle = bank.authority("analyst", Permission.SUBMIT), scorecard("risk", 0.75)
    artifact = submit(bank.database, analyst, Kind.BUNDLE, bundle, bank.clock())
    officer = other.bank.authority("risk_officer", Permission.APPROVE)
    promoter = other.bank.authority("risk_officer", Permission.ACTIVATE)
    before = digests(bank, "city")
    now, database = bank.clock(), bank.database

    def settings(role: str) -> Settings:
        # even where the settings name the tenant: it is the token that counts
        return replace(bank.settings, tenant="city", token=other.bank.tokens[role])

    commands: list[tuple[Callable[[str], Any], str]] = [
        (lambda name: approve(database, officer, name, now), artifact),
        (lambda name: activate(database, promoter, "bundle.risk", name, now), artifact),
        (lambda name: cases.show(settings("auditor"), name), theirs["case"]),
        (lambda name: cases.show(settings("auditor"), name[:23]), theirs["case"]),
        (lambda name: cases.take(settings("risk_officer"), name), theirs["case"]),
        (lambda name: alerts.show(settings("risk_officer"), name), theirs["alert"]),
        (lambda name: alerts.act(settings("risk_officer"), name[:23], Action(ActionKind.NOTE, "seen")), theirs["alert"]),
        (lambda name: rights.notice(settings("auditor"), name), theirs["decision"]),
        (lambda name: rights.decide_again(settings("integration_engineer"), UUID(name), GOOD), theirs["dispute"]),
        (lambda name: list(operations.replay(settings("auditor"), UUID(name))), theirs["decision"]),
        (lambda name: log.prove(settings("auditor"), UUID(name), None), theirs["decision"]),
    ]  # fmt: skip
    for command, name in commands:
        nobodys = sha256(b"nothing").hexdigest() if len(name) == 64 else str(uuid4())
        kind, text = refusal_of(partial(command, name))
        other_kind, other_text = refusal_of(partial(command, nobodys))
        assert kind == other_kind
        assert shortened(text, name) == shortened(other_text, nobodys)
    assert digests(bank, "city") == before


def shortened(text: str, name: str) -> str:
    """A message without the name that it was asked about, however much of it it repeats."""
    for length in range(len(name), 7, -1):
        text = text.replace(name[:length], "<name>")
    return text
