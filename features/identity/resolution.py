"""Who a record without a number is about: Fellegi and Sunter's weights, learned without labels.

For each part of an identity a pair of record and person agrees on a level; a level's weight is how much more
often it is found between a record and its person (``m``, by expectation maximisation over the records
themselves) than between strangers (``u``, from pairs at random; exact agreement on a rare name weighs more
than on a frequent one). The candidates of one record compete with one another and with nobody, so that twins,
namesakes and a father and son at one address share the probability instead of each winning it: such a record
is sure of none and goes to a person.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL, local_date

Floats = NDArray[np.float64]
SURE, WORTH_A_LOOK = 0.9995, 0.05
"""Probability from which a record is linked, and from which a person is asked."""
MISSING = -1
NAME, BIRTH, ADDRESS, PHONE = range(4)
PARTS = ("name", "birth_date", "address", "phone")
LEVELS = (
    ("another", "one of two characters differs", "one character differs", "the same"),
    ("another", "day, month or year differs", "day and month exchanged", "the same"),
    ("another", "the same village", "the same"),
    ("another", "the same"),
)
"""What each level of a part says, from none to the same."""
_ROUNDS, _RANDOM_PAIRS = 12, 60_000
_PLACE = re.compile(r"\D+")


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a person, or written on a record; several texts where there were several."""

    names: frozenset[str]
    birth: int
    addresses: frozenset[str]
    phones: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """The likeliest person of a record, as places in what was given. ``agreement`` is a level a part."""

    record: int
    person: int
    probability: float
    agreement: tuple[int, int, int, int]

    @property
    def sure(self) -> bool:
        """Whether it may be linked without a person's look."""
        return self.probability >= SURE


def say(agreement: Sequence[int]) -> dict[str, str]:
    """An agreement in words, without the texts that were compared."""
    return {
        part: "missing" if level == MISSING else LEVELS[place][level]
        for place, (part, level) in enumerate(zip(PARTS, agreement, strict=True))
    }


def resolve(
    records: Sequence[Identity], people: Sequence[Identity], refused: Iterable[tuple[int, int]] = ()
) -> list[Match]:
    """The matches worth a link or a look, best first for each record; ``refused`` pairs are none.

    The order of the people does not matter, nor that of the records.
    """
    pairs = sorted(set(candidates(records, people)) - set(refused))
    if not pairs:
        return []
    left = np.array([record for record, _ in pairs])
    levels = np.array([compare(records[r], people[p]) for r, p in pairs], dtype=np.int64)
    chance = _by_chance(levels, pairs, people)
    probability = _learn(left, levels, chance, len(records), len(people))
    found = [
        Match(r, p, float(probability[k]), tuple(int(level) for level in levels[k]))  # type: ignore[arg-type]
        for k, (r, p) in enumerate(pairs)
        if probability[k] >= WORTH_A_LOOK
    ]
    return sorted(found, key=lambda match: (match.record, -match.probability, match.person))


def candidates(records: Sequence[Identity], people: Sequence[Identity]) -> list[tuple[int, int]]:
    """Pairs that have something in common by which they could be one; all others are strangers."""
    index: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, person in enumerate(people):
        for key in _keys(person):
            index[key].append(place)
    return [
        (r, p) for r, record in enumerate(records) for key in _keys(record, turned=True) for p in index[key]
    ]


def _keys(one: Identity, *, turned: bool = False) -> set[tuple[object, ...]]:
    keys: set[tuple[object, ...]] = {("phone", phone) for phone in one.phones}
    keys |= {("address", address) for address in one.addresses}
    keys |= {("name, village", name, _village(at)) for name in one.names for at in one.addresses}
    if one.birth == NULL:
        return keys
    year, month, day = _parts(one.birth)
    keys |= {("name, year", name, year) for name in one.names}
    keys.add(("birth", year, month, day))
    if turned and day <= 12:
        keys.add(("birth", year, day, month))
    return keys


def compare(record: Identity, person: Identity) -> tuple[int, int, int, int]:
    """The level of each part; ``MISSING`` where one side says nothing."""
    return (
        _best(record.names, person.names, _name_level),
        MISSING if NULL in (record.birth, person.birth) else _birth_level(record.birth, person.birth),
        _best(record.addresses, person.addresses, _address_level),
        _best(record.phones, person.phones, lambda a, b: int(a == b)),
    )


def _best(left: frozenset[str], right: frozenset[str], level: object) -> int:
    return max((level(a, b) for a in left for b in right), default=MISSING)  # type: ignore[operator]


def _name_level(left: str, right: str) -> int:
    if left == right:
        return 3
    near = len(left) == len(right) and sum(a != b for a, b in zip(left, right, strict=True)) == 1
    return (2 if len(left) > 2 else 1) if near else 0


def _birth_level(left: int, right: int) -> int:
    if left == right:
        return 3
    (y, m, d), (year, month, day) = _parts(left), _parts(right)
    if (y, m, d) == (year, day, month):
        return 2
    return int((y == year) + (m == month) + (d == day) == 2)


def _address_level(left: str, right: str) -> int:
    return 2 if left == right else int(_village(left) == _village(right))


@lru_cache(maxsize=1 << 17)
def _village(address: str) -> str:
    found = _PLACE.match(address)
    return found[0] if found else ""


@lru_cache(maxsize=1 << 17)
def _parts(moment: int) -> tuple[int, int, int]:
    day = local_date(moment)
    return day.year, day.month, day.day


def _by_chance(
    levels: NDArray[np.int64], pairs: Sequence[tuple[int, int]], people: Sequence[Identity]
) -> Floats:
    """How often strangers agree as each pair does, [pairs, parts]; 1 where a part is missing."""
    drawn = np.random.default_rng(0).integers(0, len(people), (min(_RANDOM_PAIRS, 40 * len(people)), 2))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    strangers = np.array([compare(people[a], people[b]) for a, b in drawn.tolist()], dtype=np.int64).reshape(
        -1, 4
    )
    out = np.ones(levels.shape)
    for part, names in enumerate(LEVELS):
        known = strangers[:, part][strangers[:, part] != MISSING]
        for level in range(len(names)):
            share = (float((known == level).sum()) + 0.5) / (len(known) + 1.0)
            out[levels[:, part] == level, part] = share
    return _rare(out, levels, pairs, people)


def _rare(
    chance: Floats, levels: NDArray[np.int64], pairs: Sequence[tuple[int, int]], people: Sequence[Identity]
) -> Floats:
    """Exact agreement by chance is as frequent as the very name, day, address or phone is."""
    names = Counter(name for person in people for name in person.names)
    births = Counter(person.birth for person in people)
    homes = Counter(address for person in people for address in person.addresses)
    phones = Counter(phone for person in people for phone in person.phones)
    for k, (_, p) in enumerate(pairs):
        person = people[p]
        counts = (
            max((names[text] for text in person.names), default=1),
            births[person.birth],
            max((homes[text] for text in person.addresses), default=1),
            max((phones[text] for text in person.phones), default=1),
        )
        for part, count in enumerate(counts):
            if levels[k, part] == len(LEVELS[part]) - 1:
                chance[k, part] = count / len(people)
    return chance


def _learn(
    left: NDArray[np.int64], levels: NDArray[np.int64], chance: Floats, records: int, people: int
) -> Floats:
    """Probability of each pair [pairs], after the frequencies of errors were learned from all of them."""
    most = max(len(names) for names in LEVELS)
    matched = np.full((len(LEVELS), most), 0.02)
    for part, names in enumerate(LEVELS):
        matched[part, len(names) - 1] = 0.9
    there = 0.9
    probability = np.zeros(len(left))
    for _ in range(_ROUNDS):
        likelihood = np.ones(len(left))
        for part in range(len(LEVELS)):
            told = levels[:, part] != MISSING
            likelihood[told] *= matched[part, levels[told, part]] / chance[told, part]
        odds = likelihood * there / people
        total = np.bincount(left, weights=odds, minlength=records)
        probability = odds / (total[left] + 1 - there)
        there = min(float(probability.sum()) / records, 0.995)
        for part, names in enumerate(LEVELS):
            weight = [float(probability[levels[:, part] == level].sum()) for level in range(len(names))]
            matched[part, : len(names)] = (np.array(weight) + 0.5) / (sum(weight) + 0.5 * len(names))
    return probability
