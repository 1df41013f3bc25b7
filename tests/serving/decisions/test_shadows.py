"""Phantom decisions: beside what was decided stands what each model would have, untouched by chance and stops."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from features.canonical import canonical_bytes
from serving.access.model import Permission
from serving.decisions.receipt import read_receipt, seal_receipt
from serving.decisions.replay import ReplayStatus, replay
from serving.registry.model import Kind
from serving.store.keys import KeyRing
from tests.serving.decisions.test_replay import tampering
from tests.serving.policy.documents import plain
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, POOR, Bank, Client, policy_with, scorecard

PEOPLE = (GOOD, LATE, MIDDLE, POOR, DISHONEST)
STREAM = {"share_ppm": 1_000_000, "first": 1, "last": 10, "max_limit_fen": 1_000_000, "rate_ppm": 180_000, "monthly_budget": 99}  # fmt: skip


def use(bank: Bank, **changes: Any) -> None:
    """A policy without chance and caps, with some parts replaced."""
    tables = plain()["tables"] | {"exposure_caps": []}
    bank.approved(
        "policy", Kind.POLICY, policy_with(**{"tables": tables, "random_approval": None, **changes})
    )


def receipt_of(client: Client, number: str) -> dict[str, Any]:
    """The receipt of a new decision."""
    name = client.decide(number, client.consent_id(number)).json()["decision_id"]
    return dict(client.as_("auditor").ask("GET", f"/v1/decisions/{name}/receipt").json())


@pytest.fixture(scope="module")
def worse(bank: Bank) -> None:
    """A challenger that thinks much worse of everybody, but for the bundle's schema like the champion."""
    bank.approved("bundle.rating", Kind.BUNDLE, scorecard("rating", 1.5))


@pytest.mark.usefixtures("worse")
@pytest.mark.parametrize("number", PEOPLE)
def test_a_phantom_is_what_the_model_decides_when_it_decides(client: Client, bank: Bank, number: str) -> None:
    use(bank)
    before = receipt_of(client, number)
    own = {"grade": before["answer"]["grade"], "outcome": before["answer"]["outcome"]}
    assert before["shadows"].keys() == before["scores"].keys() == {"risk", "rating"}
    assert before["shadows"]["risk"] == own
    use(bank, pd_model="rating", challengers=["risk"])
    after = receipt_of(client, number)
    assert after["answer"]["score"]["model"] == "rating"
    assert before["shadows"]["rating"] == {
        "grade": after["answer"]["grade"],
        "outcome": after["answer"]["outcome"],
    }
    assert after["shadows"] == before["shadows"]


@pytest.mark.usefixtures("worse")
def test_the_models_do_not_agree_on_everybody(client: Client, bank: Bank) -> None:
    use(bank)
    shadows = [receipt_of(client, number)["shadows"] for number in PEOPLE]
    assert any(one["risk"]["outcome"] != one["rating"]["outcome"] for one in shadows)


def test_neither_chance_nor_a_stop_changes_a_phantom(client: Client, bank: Bank) -> None:
    use(bank)
    quiet = {number: receipt_of(client, number)["shadows"] for number in (GOOD, MIDDLE)}
    use(bank, random_approval=STREAM, breakers=[{"id": "few", "products": ["consumer"], "daily_count": 1}])
    drawn, held = receipt_of(client, MIDDLE), receipt_of(client, GOOD)
    assert (drawn["answer"]["stream"], drawn["shadows"]) == ("random", quiet[MIDDLE])
    assert (held["answer"]["outcome"], held["shadows"]) == ("refer", quiet[GOOD])


def test_who_has_no_challenger_has_no_phantom(client: Client, bank: Bank) -> None:
    use(bank, challengers=[])
    assert receipt_of(client, GOOD)["shadows"] == {}


def test_receipts_are_canonical_and_replay(client: Client, bank: Bank) -> None:
    use(bank)
    receipt = receipt_of(client, GOOD)
    assert receipt["schema"] == 4
    read = read_receipt(canonical_bytes(receipt))
    assert canonical_bytes(read) == canonical_bytes(receipt)
    auditor = bank.authority("auditor", Permission.REPLAY)
    found = list(replay(bank.settings, bank.database, auditor))
    assert {one.status for one in found} == {ReplayStatus.SAME}


def test_a_receipt_of_schema_3_is_replayed_as_it_was_written(client: Client, bank: Bank) -> None:
    use(bank)
    receipt = receipt_of(client, GOOD)
    name = UUID(receipt["case"]["decision_id"])
    older = canonical_bytes({key: each for key, each in receipt.items() if key != "shadows"} | {"schema": 3})
    assert read_receipt(older).shadows is msgspec.UNSET
    with tampering(bank) as owner:
        found = owner.execute(
            "SELECT wrapped_key FROM decision JOIN subject USING (subject_id) WHERE decision_id = %s", (name,)
        ).fetchone()
        assert found is not None
        sealed = seal_receipt(older, KeyRing.open(bank.settings.key_file).unwrap(found[0]), str(name))
        owner.execute(
            "UPDATE decision SET receipt = %s, receipt_hash = sha256(%s) WHERE decision_id = %s",
            (sealed, sealed, name),
        )
    auditor = bank.authority("auditor", Permission.REPLAY)
    (one,) = replay(bank.settings, bank.database, auditor, name)
    assert (one.status, one.differences) == (ReplayStatus.SAME, ())
