"""Households and owners of a whole city, against its files."""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np

from features.calendar import instant
from features.canonical import code_of
from features.contracts.model import SubjectKind
from features.identity.links import Links

TODAY = instant("2024-01-01")


def rows(loaded, dataset: str) -> list[dict[str, str]]:
    with (loaded.folder / "feeds" / f"{dataset}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_household_has_the_members_of_the_register(loaded) -> None:
    contract = loaded.contracts["population_register"]
    links = Links.of(contract, loaded.lake.read(contract), "member_of")
    houses: dict[str, set[int]] = defaultdict(set)
    for row in rows(loaded, "population_register"):
        houses[row["household_no"]].add(loaded.vault.find(SubjectKind.PERSON, row["id_number"]))
    for house in sorted(houses)[:40]:
        members = links.members_of(code_of(house), TODAY)
        assert set(members) == houses[house]
        assert {links.owner_of(member, TODAY) for member in members} == {code_of(house)}
        assert links.members_of(code_of(house), instant("2020-12-31")) == ()  # not yet known


def test_every_firm_has_its_owner_once_it_is_registered_and_known(loaded) -> None:
    contract = loaded.contracts["business_registration"]
    links = Links.of(contract, loaded.lake.read(contract), "owner")
    firms = rows(loaded, "business_registration")
    assert len(firms) > 20
    for row in firms:
        firm = loaded.vault.find(SubjectKind.LEGAL_PERSON, row["uscc"])
        owner = loaded.vault.find(SubjectKind.PERSON, row["owner_id_number"])
        assert links.owner_of(firm, TODAY) == owner
        assert firm in links.members_of(owner, TODAY)
        assert links.owner_of(firm, instant(row["registered_on"])) is None
        assert links.owner_of(firm, instant(row["published_at"])) == owner


def test_a_firm_s_registration_is_seen_from_its_owner(loaded) -> None:
    view = loaded.lake.tables(loaded.contracts, ["business_registration@owner"])[
        "business_registration@owner"
    ]
    owners = {
        loaded.vault.find(SubjectKind.PERSON, r["owner_id_number"])
        for r in rows(loaded, "business_registration")
    }
    assert set(view.subject.tolist()) == owners
    one = min(owners)
    alone = loaded.lake.subject_tables(loaded.contracts, one)["business_registration@owner"]
    assert np.array_equal(alone.valid_from, view.take(view.subject == one).valid_from)
