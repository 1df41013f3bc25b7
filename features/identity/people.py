"""What registers know of people and what records say of theirs, in one form to compare them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from features.calendar import NULL
from features.contracts.model import Contract
from features.identity.held import HeldRecord, PersonalText, registers
from features.identity.resolution import PARTS, Identity
from features.timeline.door import Door


def registered(
    contracts: Mapping[str, Contract], door: Door, texts: Iterable[PersonalText]
) -> tuple[list[Identity], list[int]]:
    """Everybody in a register, and their subjects in the same order; texts that other datasets gave count too."""
    part_of = {(c.dataset, c.identity[p]): p for c in contracts.values() for p in PARTS if p in c.identity}
    told: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for text in texts:
        told[text.subject][part_of.get((text.dataset, text.field), "")].add(text.text)
    births: dict[int, int] = {}
    for contract in registers(contracts):
        table = door.events(contract)
        column = table.columns[contract.identity["birth_date"]]
        births |= dict(zip(table.subject.tolist(), column.tolist(), strict=True))
    subjects = sorted(told.keys() & births.keys())
    return [_identity(births[who], told[who]) for who in subjects], subjects


def written(contract: Contract, record: HeldRecord) -> Identity:
    """What a record says of its person."""
    field = contract.identity
    told = {part: set(filter(None, [record.texts.get(field[part], "")])) for part in PARTS}
    return _identity(record.columns.get(field["birth_date"], NULL), told)


def _identity(birth: int, told: Mapping[str, set[str]]) -> Identity:
    name, address, phone = (frozenset(told.get(part, ())) for part in ("name", "address", "phone"))
    return Identity(name, birth, address, phone)
