"""Records find their person, relatives and namesakes do not take them, and a no stays a no."""

from __future__ import annotations

import numpy as np
import pytest

from features.calendar import NULL, instant
from features.city.identities import draw_identities
from features.city.text import draw_people
from features.identity.measure import measure
from features.identity.resolution import MISSING, Identity, compare, resolve, say


def identity(name: str, birth: str = "", address: str = "", phone: str = "") -> Identity:
    def one(text: str) -> frozenset[str]:
        return frozenset([text] if text else [])

    return Identity(one(name), instant(birth) if birth else NULL, one(address), one(phone))


def crowd(households: int = 150, seed: int = 5) -> list[Identity]:
    """People of a city, whose records teach how often hands err."""
    g = np.random.default_rng(seed)
    people = draw_people(households, g)
    known = draw_identities(people, g)
    return [
        identity(*(str(text) for text in row))
        for row in zip(known.name, known.birth, known.address, known.phone, strict=True)
    ]


LI = identity("李文海", "1980-03-07", "青山村1组9号", "13800000001")


@pytest.mark.parametrize(
    ("record", "levels"),
    [
        (LI, (3, 3, 2, 1)),
        (identity("李文亥", "1980-07-03", "青山村2组9号", "13900000000"), (2, 2, 1, 0)),
        (identity("李文海海", "1980-03-08", "高桥村1组9号"), (0, 1, 0, MISSING)),
        (identity("王国强"), (0, MISSING, MISSING, MISSING)),
    ],
)
def test_each_part_agrees_on_a_level(record: Identity, levels: tuple[int, ...]) -> None:
    assert compare(record, LI) == levels


def test_a_name_of_two_characters_with_one_changed_says_less_than_one_of_three() -> None:
    assert compare(identity("李海"), identity("李亥"))[0] == 1
    assert say((2, 1, MISSING, 0))["phone"] == "another"
    assert say((2, 1, MISSING, 0))["address"] == "missing"


def test_a_clean_record_finds_its_person_and_a_stranger_s_finds_nobody() -> None:
    people = [*crowd(), LI]
    stranger = identity("赵无名", "1955-12-30", "远方村1组1号", "19900000000")
    matches = resolve([*crowd()[:80], LI, stranger], people)
    sure = {m.record: m.person for m in matches if m.sure}
    assert sure == {**{k: k for k in range(80)}, 80: len(people) - 1}
    assert 81 not in {m.record for m in matches}


def test_twins_share_the_probability_of_a_garbled_name_and_go_to_a_person() -> None:
    twins = [identity(name, "1990-05-06", "青山村7组7号", "13700000007") for name in ("赵明华", "赵明国")]
    people = [*crowd(), *twins]
    garbled = identity("赵明海", "1990-05-06", "青山村7组7号", "13700000007")
    found = [m for m in resolve([*crowd()[:80], garbled, twins[0]], people) if m.record >= 80]
    doubtful, clear = [m for m in found if m.record == 80], [m for m in found if m.record == 81]
    assert [m.person for m in doubtful] == [len(people) - 2, len(people) - 1]
    assert all(0.4 < m.probability < 0.6 for m in doubtful)
    assert clear[0].person == len(people) - 2
    assert clear[0].probability > 0.9  # and whether that is sure depends on how often hands err here


def test_a_father_and_his_son_at_one_address_are_told_apart_by_their_birth() -> None:
    father = identity("陈志强", "1958-01-20", "石桥村2组3号", "13600000003")
    son = identity("陈志刚", "1984-09-09", "石桥村2组3号", "13600000003")
    people = [*crowd(), father, son]
    record = identity("陈志钢", "1984-09-09", "石桥村2组3号", "")
    found = [m for m in resolve([*crowd()[:80], record], people) if m.record == 80]
    assert [(m.person, m.sure) for m in found if m.probability > 0.5] == [(len(people) - 1, True)]


def test_a_refused_pair_is_never_matched_again() -> None:
    people = [*crowd(), LI]
    pair = (80, len(people) - 1)
    assert pair not in {(m.record, m.person) for m in resolve([*crowd()[:80], LI], people, [pair])}


def test_the_order_of_people_and_records_does_not_matter() -> None:
    people, records = crowd(), crowd()[:60]
    turned = resolve(records[::-1], people[::-1])
    there = {(len(records) - 1 - m.record, len(people) - 1 - m.person): m.sure for m in turned}
    assert {(m.record, m.person): m.sure for m in resolve(records, people)} == there


def test_nobody_and_nothing_are_no_trouble() -> None:
    assert resolve([], crowd()) == []
    assert resolve([LI], []) == []


def test_a_city_s_ledgers_are_resolved_as_well_as_is_asked(small_city) -> None:
    found = measure(small_city)
    assert found.records > 80
    assert found.wrong == 0
    assert found.recall >= 0.95
    assert found.linked + found.review <= found.records
