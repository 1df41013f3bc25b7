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

RULES, RULES_PAGE = ROOT / "docs/rules.yaml", ROOT / "docs/reference/rules.md"
_ABOUT = (
    "An id is what policies, reasons and refusals name. What is met is met by the software; where a person still has a part,"
    " the note says so. It is no legal advice."
)
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


def linked(named: Iterable[str]) -> str:
    """Tests as links from ``docs/reference``, their names as words."""
    parts = (one.partition("::") for one in named)
    return "<br>".join(f"[{name.removeprefix('test_')}](../../{path})" for path, _, name in parts)


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


def main() -> None:
    RULES_PAGE.write_text(rules_page(rules()), encoding="utf-8")


if __name__ == "__main__":
    main()
