"""The tables of rules and threats, and their pages: ``python -m tests.architecture.proofs`` writes them anew."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from functools import cache

import msgspec
import yaml

from features.reference import table
from tests.architecture.test_guards import ROOT, text_of

THREATS, THREATS_PAGE = ROOT / "docs/threats.yaml", ROOT / "docs/threats.md"
RULES, RULES_PAGE = ROOT / "docs/rules.yaml", ROOT / "docs/reference/rules.md"
_ABOUT = (
    "An id is what policies, reasons and refusals name. What is met is met by the software; where a person still has a part,"
    " the note says so. It is no legal advice."
)
_OF_THREATS = "What is known and stands open is told at the end of [security](security.md) and in the README."
AGAIN = "Write it anew: python -m tests.architecture.proofs"


class State(StrEnum):
    """How far a rule is met."""

    MET = "met"
    PARTLY = "partly"
    OUT = "out"


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name in both languages."""

    zh: str
    en: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of law or supervision, and what holds it here."""

    id: str
    state: State
    zh: str
    en: str
    tests: tuple[str, ...] = ()
    note: str = ""

    @property
    def area(self) -> str:
        return self.id.split("-")[1]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``docs/rules.yaml``."""

    schema: int
    areas: dict[str, Text]
    rules: tuple[Rule, ...]


class Threat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who could do what, what answers it, and what holds the answer."""

    who: str
    threat: str
    answer: str
    tests: tuple[str, ...]


class Door(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where something comes in."""

    code: str
    zh: str
    en: str
    what: str
    threats: tuple[Threat, ...]


class Threats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``docs/threats.yaml``."""

    schema: int
    doors: tuple[Door, ...]

    def named(self) -> list[str]:
        return [one for door in self.doors for threat in door.threats for one in threat.tests]


def threats() -> Threats:
    return msgspec.convert(yaml.safe_load(text_of(THREATS)), Threats)


def rules() -> Rules:
    return msgspec.convert(yaml.safe_load(text_of(RULES)), Rules)


@cache
def tests_of(path: str) -> frozenset[str]:
    """The tests of a file, by their names."""
    if not (ROOT / path).is_file():
        return frozenset()
    nodes = ast.parse(text_of(ROOT / path)).body
    found = (n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


def missing_tests(named: Iterable[str]) -> list[str]:
    """Of these (``path::name``), those that do not exist."""
    return [one for one in named if one.partition("::")[2] not in tests_of(one.partition("::")[0])]


def linked(named: Iterable[str], root: str = "../..") -> str:
    """Tests as links from ``docs/reference``, or from where ``root`` leads to the tree."""
    parts = (one.partition("::") for one in named)
    return "<br>".join(f"[{name.removeprefix('test_')}]({root}/{path})" for path, _, name in parts)


def rules_page(document: Rules) -> str:
    """Markdown of the table, area by area, and its counts."""
    count = Counter((rule.area, rule.state) for rule in document.rules)
    whole = Counter(rule.state for rule in document.rules)
    named = {one for rule in document.rules for one in rule.tests}
    lines = [
        "# Rules",
        "",
        "Generated from [rules.yaml](../rules.yaml) by `python -m tests.architecture.proofs`; do not edit.",
        "",
    ]
    counts = f"{len(document.rules)} rules: {whole[State.MET]} met, {whole[State.PARTLY]} partly, {whole[State.OUT]} out of scope"
    lines += [f"{counts}; {len(named)} tests hold them. {_ABOUT}", ""]
    rows = [
        (code, text.zh, text.en, *(str(count[code, state]) for state in State))
        for code, text in document.areas.items()
    ]
    lines += table(("area", "领域", "name", *State), rows)
    for code, text in document.areas.items():
        lines += [f"## {text.en} {text.zh}", ""]
        here = [rule for rule in document.rules if rule.area == code]
        lines += table(
            ("rule", "规则", "in short", "state", "held by", "what is not, or is others'"),
            [(rule.id, rule.zh, rule.en, rule.state, linked(rule.tests), rule.note) for rule in here],
        )
    return "\n".join(lines).rstrip() + "\n"


def threats_page(document: Threats) -> str:
    """Markdown of the table, door by door."""
    count = sum(len(door.threats) for door in document.doors)
    lines = [
        "# Threats",
        "",
        "Generated from [threats.yaml](threats.yaml) by `python -m tests.architecture.proofs`; do not edit.",
        "",
    ]
    lines += [
        f"{count} threats at {len(document.doors)} doors; {len(set(document.named()))} tests hold the answers. {_OF_THREATS}",
        "",
    ]
    for door in document.doors:
        lines += [f"## {door.en} {door.zh}", "", f"{door.what}.", ""]
        rows = [(one.who, one.threat, one.answer, linked(one.tests, "..")) for one in door.threats]
        lines += table(("who", "what could go wrong", "the answer", "held by"), rows)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    THREATS_PAGE.write_text(threats_page(threats()), encoding="utf-8")
    RULES_PAGE.write_text(rules_page(rules()), encoding="utf-8")


if __name__ == "__main__":
    main()
