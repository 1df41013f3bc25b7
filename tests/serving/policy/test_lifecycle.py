"""From a draft to the day on which it begins, and back: two people, one clock, one policy for a product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from features.calendar import DAY
from features.canonical import canonical_bytes
from serving.access.model import Permission
from serving.governance import promotion
from serving.governance.promotion import GatesMissed, NothingBefore
from serving.policy.findings import BrokenPolicy
from serving.policy.load import HOUSING, policy_from_yaml
from serving.registry import repository
from serving.registry.fitting import TwoPolicies
from serving.registry.model import Kind
from serving.registry.service import OwnApproval, Scheduled, approve, submit
from serving.store.session import tenant_transaction
from tests.serving.policy.documents import CITY_POLICY, changed
from tests.serving.world import GOOD, Bank, Client


def priced(rate: int) -> bytes:
    """The city's policy with another rate for the best grades."""
    return changed(lambda document: document["tables"]["prices"][6].update(rate_ppm=rate))


def drafted(bank: Bank, data: bytes, *, approved: bool = True) -> str:
    """A policy that waits, or that a second person has approved."""
    name = submit(
        bank.database, bank.authority("analyst", Permission.SUBMIT), Kind.POLICY, data, bank.clock()
    )
    if approved:
        approve(
            bank.database,
            bank.authority("risk_officer", Permission.APPROVE),
            name,
            bank.clock(),
            reason="seen",
        )
    return name


def begin(bank: Bank, name: str, at: int | None = None, slot: str = "policy") -> None:
    """Put it in force, now or later."""
    officer = bank.authority("risk_officer", Permission.ACTIVATE)
    promotion.promote(bank.database, officer, {slot: name}, bank.clock(), begin=at)


def back(bank: Bank, slot: str = "policy") -> dict[str, str]:
    """Roll a slot back."""
    officer = bank.authority("risk_officer", Permission.ACTIVATE)
    return dict(promotion.rollback(bank.database, officer, slot, bank.clock()).slots)


def in_force(bank: Bank, at: int, slot: str = "policy") -> str:
    """What is in force in a slot at a moment."""
    with tenant_transaction(bank.database, "city") as connection:
        return repository.active(connection, at).get(slot, "")


def decided_by(client: Client) -> str:
    """The policy by which an application is decided now."""
    return str(client.decide(GOOD, client.consent_id(GOOD)).json()["digests"]["policy"])


@pytest.fixture(autouse=True)
def city(bank: Bank) -> Iterator[None]:
    """Every test begins with the city's policy, and nothing that is to begin later."""
    yield
    while any(_open(bank, slot) for slot in ("policy", "policy.other")):
        for slot in ("policy", "policy.other"):
            if _open(bank, slot):
                back(bank, slot)
    bank.approved("policy", Kind.POLICY, CITY_POLICY.data)


def _open(bank: Bank, slot: str) -> bool:
    with tenant_transaction(bank.database, "city") as connection:
        row = connection.execute(repository.BEGUN, (slot,)).fetchone()
    return row is not None and row[0] > bank.clock.now


def test_a_policy_begins_on_its_day_by_the_clock_of_each_decision(client: Client, bank: Bank) -> None:
    old, new = CITY_POLICY.digest, drafted(bank, priced(40_000))
    day = bank.clock.now + 3 * DAY
    begin(bank, new, day)
    assert decided_by(client) == old
    assert (in_force(bank, day - 1), in_force(bank, day)) == (old, new)
    bank.clock.now = day - 60_000_000
    assert decided_by(client) == old
    bank.clock.now = day
    assert decided_by(client) == new
    assert back(bank) == {"policy": old}
    assert decided_by(client) == old


def test_what_is_to_begin_can_be_called_off_and_leaves_no_trace_in_a_rollback(bank: Bank) -> None:
    first, second = drafted(bank, priced(39_000)), drafted(bank, priced(38_000))
    begin(bank, first)
    day = bank.clock.now + DAY
    begin(bank, second, day)
    with pytest.raises(Scheduled, match="another version begins in the slot policy"):
        begin(bank, drafted(bank, priced(37_000)))
    assert back(bank) == {"policy": first}
    assert in_force(bank, day + DAY) == first
    assert back(bank) == {"policy": CITY_POLICY.digest}
    begin(bank, second, day)
    assert in_force(bank, day + 1) == second


def test_nothing_begins_that_no_other_person_has_approved(bank: Bank) -> None:
    name = drafted(bank, priced(36_000), approved=False)
    with pytest.raises(GatesMissed, match="approved by 0"):
        begin(bank, name, bank.clock.now + DAY)
    officer = bank.authority("risk_officer", Permission.SUBMIT)
    own = submit(bank.database, officer, Kind.POLICY, priced(35_000), bank.clock())
    officer = bank.authority("risk_officer", Permission.APPROVE)
    with pytest.raises(OwnApproval):
        approve(bank.database, officer, own, bank.clock())


def test_two_policies_for_one_product_are_refused_now_and_on_every_later_day(bank: Bank) -> None:
    document = policy_from_yaml(HOUSING).document
    mine = {name: {"zh": text.zh, "en": text.en} for name, text in document.products.items()}

    def housing(products: dict[str, Any]) -> bytes:
        return canonical_bytes({**msgspec.to_builtins(document), "products": products})

    loan = {"consumer": {"zh": "贷款", "en": "loan"}}
    both = drafted(bank, housing(mine | loan))
    with pytest.raises(
        TwoPolicies, match=r"policy and policy\.other would both decide the product 'consumer'"
    ):
        begin(bank, both, slot="policy.other")
    day = bank.clock.now + DAY
    wider = drafted(
        bank, changed(lambda d: (d["products"].update(mine), d["tables"]["limit_caps"][0].pop("products")))
    )
    begin(bank, wider, day)
    with pytest.raises(TwoPolicies, match="rental_housing"):
        begin(bank, drafted(bank, housing(mine)), slot="policy.other")


def test_a_policy_without_rows_for_the_year_ahead_does_not_begin(bank: Bank) -> None:
    short = changed(lambda document: document["tables"]["rate_caps"][0].update(effective_to="2025-06-01"))
    name = drafted(bank, short)
    with pytest.raises(BrokenPolicy, match="within a year"):
        begin(bank, name)
    assert in_force(bank, bank.clock()) == CITY_POLICY.digest


def test_a_slot_that_has_held_one_policy_has_nothing_before(bank: Bank) -> None:
    bank.approved("policy.alone", Kind.POLICY, policy_from_yaml(HOUSING).data)
    with pytest.raises(NothingBefore):
        back(bank, "policy.alone")


def test_every_rollback_goes_one_version_further_back_and_never_forward_again(bank: Bank) -> None:
    versions = [drafted(bank, priced(price)) for price in (31_000, 32_000, 33_000)]
    for name in versions:
        begin(bank, name)
    assert back(bank) == {"policy": versions[1]}
    assert back(bank) == {"policy": versions[0]}
    later = drafted(bank, priced(34_000))
    begin(bank, later)
    assert back(bank) == {"policy": versions[0]}, "what was rolled back before is passed over"
    assert back(bank) == {"policy": CITY_POLICY.digest}
    with pytest.raises(NothingBefore, match="before the one in force") as refused:
        back(bank)
    assert (refused.value.place, bool(refused.value.remedy)) == ("policy", True)
