"""The console's texts in Chinese and English, as data: one file of ``words/`` a group of pages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files

import yaml


class Language(StrEnum):
    """A language of the pages."""

    ZH = "zh"
    EN = "en"

    @property
    def tag(self) -> str:
        """As HTML names it."""
        return {"zh": "zh-CN", "en": "en"}[self.value]


def preferred(header: str) -> Language:
    """The language of an Accept-Language header, Chinese where it names neither first."""
    for part in header.split(","):
        tag = part.partition(";")[0].strip().lower()
        for each in Language:
            if tag == each.value or tag.startswith(f"{each.value}-"):
                return each
    return Language.ZH


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Every text by ``group.name``: a group is a file, whose lines are ``name: [Chinese, English]``."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((files("serving.console") / "words").iterdir(), key=lambda each: each.name):
        group = path.name.removesuffix(".yaml")
        for name, (zh, en) in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            found[f"{group}.{name}"] = {"zh": zh, "en": en}
    return found


def say(language: Language, key: str, **values: object) -> str:
    """A text with its values. A key that is unknown is a fault of ours and raises ``KeyError``."""
    return words()[key][language.value].format(**values) if values else words()[key][language.value]


def named(language: Language, group: str, value: object) -> str:
    """The name of a value of ours (a state, a level); the value itself where it has none."""
    found = words().get(f"{group}.{value}")
    return str(value) if found is None else found[language.value]
