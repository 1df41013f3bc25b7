"""Names of what is data: signals, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from features.contracts.load import parse_yaml
from serving.alerts.spreading import GUARANTOR, HOUSEHOLD, VILLAGE
from serving.console.words import Language
from serving.watch.signals import SHIPPED

_SPREAD = {
    GUARANTOR: {"zh": "担保人风险", "en": "guarantor in red alert"},
    HOUSEHOLD: {"zh": "家庭成员风险", "en": "household in red alert"},
    VILLAGE: {"zh": "村级集中预警", "en": "many alerts in a village"},
}


def signal_name(language: Language, code: str) -> str:
    """A shipped signal's name; a bank's own signal is told by its code."""
    found = _signals().get(code)
    return code if found is None else found[language.value]


@cache
def _signals() -> Mapping[str, Mapping[str, str]]:
    listed = parse_yaml(SHIPPED)["signals"]
    return {each["code"]: {"zh": each["zh"], "en": each["en"]} for each in listed} | _SPREAD
