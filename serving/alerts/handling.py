"""Owners, due times and playbooks, as data: who handles an alert, by when, and how."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import msgspec

from features.calendar import DAY, local_date
from features.contracts.documents import read_yaml
from features.contracts.model import Text
from features.errors import Invalid
from serving.access.model import Role
from serving.watch.signals import Level

HANDLING = Path(__file__).with_name("handling.yaml")
PLAYBOOKS = Path(__file__).with_name("playbooks.yaml")
SATURDAY = 5
LONGEST = 366
"""So many days may be given at most: an alert that is due later is due never."""


class Due(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After so many days or working days: exactly one of them."""

    days: int | None = None
    working_days: int | None = None


class OwnerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose an alert is that fits all that is named; what is not named fits every alert."""

    to: str
    village: str | None = None
    product: str | None = None
    level: Level | None = None
    signal: str | None = None

    def fits(self, village: str | None, product: str | None, level: Level, signal: str) -> bool:
        """Whether an alert is meant."""
        pairs = ((self.village, village), (self.product, product), (self.level, level), (self.signal, signal))
        return all(wanted in {None, found} for wanted, found in pairs)

    @property
    def catches_all(self) -> bool:
        """Whether it names nothing."""
        return self.fits(None, None, Level.RED, "") and self.level is None


class VillageRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From how many borrowers of one village in alert within a month the village itself is."""

    least: int


class Handling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Schema 1. ``supervisor`` is told of what is overdue."""

    schema: int
    due: dict[Level, Due]
    disposal: Due
    days_off: tuple[date, ...]
    owners: tuple[OwnerRule, ...]
    supervisor: str
    village_alerts: VillageRule

    def owner(self, village: str | None, product: str | None, level: Level, signal: str) -> str:
        """Whose an alert is: of the first rule that fits."""
        return next(rule.to for rule in self.owners if rule.fits(village, product, level, signal))

    def due_at(self, level: Level, at: int) -> int:
        """By when (µs) an alert raised at a moment is handled."""
        return self._after(self.due[level], at)

    def disposal_at(self, at: int) -> int:
        """By when (µs) something is done about a loan that a signal hit at three points in a row."""
        return self._after(self.disposal, at)

    def _after(self, rule: Due, at: int) -> int:
        if rule.days is not None:
            return at + rule.days * DAY
        return at + _calendar_days(local_date(at), rule.working_days or 0, self.days_off) * DAY


class Playbook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do, what to say to the borrower, and what should have happened after so many days."""

    code: str
    signals: tuple[str, ...]
    steps: Text
    script: Text
    expects: Text
    within_days: int


class Playbooks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Schema 1."""

    schema: int
    playbooks: tuple[Playbook, ...]

    def of(self, code: str, signal: str) -> Playbook:
        """The one of this code, else the one for the signal, else the one for the rest."""
        by_code = {each.code: each for each in self.playbooks}
        by_signal = {name: each for each in self.playbooks for name in each.signals}
        rest = next(each for each in self.playbooks if not each.signals)
        return by_code.get(code) or by_signal.get(signal) or rest


class BrokenHandling(Invalid):
    """Rules under which some alert would have no owner, no due day or no next step."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=place, remedy=remedy)


def check_handling(found: Handling, name: str = HANDLING.name) -> Handling:
    """The same, where it leaves no alert without an owner and a due day.

    Raises:
        BrokenHandling: with the place and what to mend.
    """
    _check_schema(found.schema, name)
    for place, rule in (
        *((f"due.{level}", found.due.get(level)) for level in Level),
        ("disposal", found.disposal),
    ):
        counts = [] if rule is None else [rule.days, rule.working_days]
        if len([count for count in counts if count is not None and 0 < count <= LONGEST]) != 1:
            remedy = f"Write days or working_days, from 1 to {LONGEST}."
            raise BrokenHandling(f"{name} {place}", "it does not say after how many days.", remedy)
    if found.village_alerts.least < 1:
        raise BrokenHandling(f"{name} village_alerts", "nobody in alert would be enough.", "Write 1 or more.")
    if not found.owners or not found.owners[-1].catches_all:
        raise BrokenHandling(
            f"{name} owners", "some alert would have no owner.", "Let the last rule name only `to`."
        )
    for to in (*(rule.to for rule in found.owners), found.supervisor):
        kind, _, who = to.partition(":")
        if not who or kind not in {"role", "officer"} or (kind == "role" and who not in set(Role)):
            raise BrokenHandling(
                f"{name} owners", f"{to!r} names nobody.", "Write role:ROLE or officer:NAME."
            )
    return found


def _check_schema(schema: int, name: str) -> None:
    if schema != 1:
        raise BrokenHandling(f"{name} schema", f"schema {schema} is not known.", "Write schema: 1.")


def check_playbooks(found: Playbooks, name: str = PLAYBOOKS.name) -> Playbooks:
    """The same, where each signal has one playbook and the rest has one.

    Raises:
        BrokenHandling: with the place and what to mend.
    """
    _check_schema(found.schema, name)
    names = [signal for each in found.playbooks for signal in each.signals]
    codes = [each.code for each in found.playbooks]
    for what, several in (("signal", _twice(names)), ("playbook", _twice(codes))):
        if several:
            raise BrokenHandling(name, f"the {what} {several[0]} stands twice.", "Leave it in one place.")
    for each in found.playbooks:
        if not 1 <= each.within_days <= LONGEST:
            problem = f"{each.within_days} days are no time within which anything is expected."
            raise BrokenHandling(f"{name} {each.code}", problem, f"Write 1 to {LONGEST}.")
    if len([each for each in found.playbooks if not each.signals]) != 1:
        raise BrokenHandling(name, "not exactly one playbook is for the rest.", "Let one name no signals.")
    return found


@cache
def handling() -> Handling:
    """The rules that Yidai ships."""
    return check_handling(read_yaml(HANDLING, Handling))


@cache
def playbooks() -> Playbooks:
    """The playbooks that Yidai ships."""
    return check_playbooks(read_yaml(PLAYBOOKS, Playbooks))


def _calendar_days(since: date, working: int, off: Collection[date]) -> int:
    """How many days pass until so many working days have."""
    days = 0
    while working:
        days += 1
        day = since + timedelta(days=days)
        working -= day.weekday() < SATURDAY and day not in off
    return days


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
