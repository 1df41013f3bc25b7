"""Every text is there, in both languages, and none is left over."""

from __future__ import annotations

import re
import string
from importlib.resources import files

import pytest

from features.consent import Purpose
from features.loans.analytics import ENDS
from features.loans.model import Kind as LoanKind
from features.loans.model import State
from serving.access.model import Permission, Role
from serving.access.tokens import KeyState
from serving.alerts.machine import AlertState
from serving.alerts.model import ActionKind, FeedbackVerdict
from serving.cases.model import CaseState
from serving.classes.document import RiskClass
from serving.console.pages import DOORS
from serving.console.words import Language, preferred, words
from serving.decisions.linking import LinkKind
from serving.decisions.replay import ReplayStatus
from serving.policy.model import Outcome
from serving.records.disputes import DisputeVerdict
from serving.watch.signals import Level
from training.monitoring import Kind

HERE = files("serving.console")
TEMPLATES = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "templates").iterdir()}
CODE = "\n".join(path.read_text(encoding="utf-8") for path in HERE.iterdir() if path.name.endswith(".py"))
BUILT = tuple(
    f"{group}."
    for group in (
        "nav", "home", "problem",
        *re.findall(r"""named\((?:language, )?["']([a-z_]+)["']""", "".join(TEMPLATES.values()) + CODE),
    )
)  # fmt: skip
"""Groups whose names are put together from values."""


def asked() -> dict[str, set[str]]:
    """Every key that a template asks for, and where."""
    found: dict[str, set[str]] = {}
    for name, text in TEMPLATES.items():
        for key in re.findall(r"""[("',]\s*["']([a-z_]+\.[a-z_0-9]+)["']""", text):
            if not key.endswith((".html", ".css", ".js", ".svg")):
                found.setdefault(key, set()).add(name)
    return found


def test_every_text_that_a_page_asks_for_is_there() -> None:
    assert not {key: where for key, where in asked().items() if key not in words()}


def test_no_text_is_left_over() -> None:
    used = set(asked()) | set(re.findall(r'"([a-z_]+\.[a-z_0-9]+)"', CODE))
    assert not [key for key in words() if key not in used and not key.startswith(BUILT)]


def test_every_text_is_in_both_languages_with_the_same_values() -> None:
    for key, text in words().items():
        fields = {
            lang: sorted(name for _, name, _, _ in string.Formatter().parse(text[lang]) if name)
            for lang in ("zh", "en")
        }
        assert all(text[language].strip() for language in ("zh", "en")), key
        assert fields["zh"] == fields["en"], key


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("level", Level),
        ("action", ActionKind),
        ("verdict", FeedbackVerdict),
        ("alert_state", AlertState),
        ("nav", [d.key for d in DOORS]),
        ("case_state", CaseState),
        ("role", Role),
        ("purpose", Purpose),
        ("replay", ReplayStatus),
        ("decision_kind", ["system", *LinkKind]),
        ("outcome", Outcome),
        ("permission", Permission),
        ("key_state", KeyState),
        ("dispute_verdict", DisputeVerdict),
        ("risk_class", RiskClass),
        ("issue_kind", Kind),
        ("roll_to", ENDS),
        ("loan_state", State),
        ("loan_event", LoanKind),
    ],
)
def test_every_value_has_a_name(group: str, values: list[str]) -> None:
    assert not [value for value in values if f"{group}.{value}" not in words()]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN", "zh"),
        ("fr, en;q=0.5", "en"),
        ("fr", "zh"),
        ("\x00,;;=", "zh"),
    ],
)
def test_the_browser_says_which_language_comes_first(header: str, language: str) -> None:
    assert preferred(header) is Language(language)
