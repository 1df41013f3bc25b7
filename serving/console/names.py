"""Names of what is data: signals, reasons, products, purposes, as people read them. What is not shipped is told by its code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from features.contracts.documents import parse_yaml
from features.contracts.load import BUILTIN
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan
from serving.alerts.spreading import GUARANTOR, HOUSEHOLD, VILLAGE
from serving.cases.reasons import person_reasons
from serving.console.words import Language, named
from serving.watch.signals import SHIPPED

Names = Mapping[str, Mapping[str, str]]
_SPREAD = {
    GUARANTOR: {"zh": "担保人风险", "en": "guarantor in red alert"},
    HOUSEHOLD: {"zh": "家庭成员风险", "en": "household in red alert"},
    VILLAGE: {"zh": "村级集中预警", "en": "many alerts in a village"},
}


def signal_name(language: Language, code: str) -> str:
    """A signal."""
    return _told(_signals(), code, language)


def reason_name(code: str | None, language: Language) -> str:
    """Why something was decided: a reason of a rule, of a group of features, or of a person."""
    return _told(_reasons(), code or "", language)


def product_name(code: str | None, language: Language) -> str:
    """A product or a purpose of the shipped policies."""
    return _told(_products(), code or "", language)


def fact(value: object, unit: str, language: Language) -> str:
    """A feature's value with its unit, or why there is none."""
    if isinstance(value, str):
        return named(language, "missing", value)
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,.2f}".rstrip("0").rstrip(".") + (f" {named(language, 'unit', unit)}" if unit else "")


def _told(names: Names, code: str, language: Language) -> str:
    found = names.get(code)
    return code if found is None else found[language.value]


@cache
def _signals() -> Names:
    return {one["code"]: _text(one) for one in parse_yaml(SHIPPED)["signals"]} | _SPREAD


@cache
def _reasons() -> Names:
    found = {
        code: {"zh": text.zh, "en": text.en}
        for code, text in load_plan([BUILTIN], [DEFINITIONS]).reasons.items()
    }
    found |= {
        each["code"]: _text(each) for each in _policies() if "code" in each and {"zh", "en"} <= each.keys()
    }
    return found | {code: {"zh": each.zh, "en": each.en} for code, each in person_reasons().items()}


@cache
def _products() -> Names:
    groups = [
        each[name]
        for each in _policies()
        for name in ("products", "purposes")
        if isinstance(each.get(name), dict)
    ]
    return {code: _text(text) for group in groups for code, text in group.items() if isinstance(text, dict)}


@cache
def _policies() -> tuple[dict[str, Any], ...]:
    """Every mapping of every shipped policy."""
    shipped = sorted((Path(__file__).parents[1] / "policy").glob("*.yaml"))
    return tuple(part for path in shipped for part in _mappings(parse_yaml(path)))


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _mappings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _mappings(each)


def _text(each: Mapping[str, str]) -> dict[str, str]:
    return {"zh": each["zh"], "en": each["en"]}
