"""Each page of the reference is what the code says, and nothing that a reader meets is missing from it."""

from __future__ import annotations

import pytest

from features.matrix import Missing
from serving.policy import facts
from serving.policy.model import Effect, Force, Operator
from tests.architecture.test_guards import text_of
from tests.reference import errors, words
from tests.reference.pages import AGAIN, FOLDER, PAGES
from tests.reference.routes import commands
from tests.serving.access.routes import ROUTES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert text_of(FOLDER / f"{name}.md") == PAGES[name](), AGAIN


def test_every_fact_operator_effect_and_kind_of_missing_is_told() -> None:
    assert set(words.FACTS) == facts.NUMBERS | facts.TEXTS
    assert set(words.OPERATORS) == set(Operator)
    assert set(words.EFFECTS) == set(Effect)
    assert set(words.FORCES) == set(Force)
    assert set(words.MISSING) == set(Missing) - {Missing.PRESENT}


def test_every_command_and_each_of_its_options_teaches() -> None:
    untold = [
        f"{name} {parameter.name}".strip()
        for name, command in commands()
        for parameter in command.params
        if not getattr(parameter, "help", "") and parameter.name != "help"
    ]
    assert untold == []
    assert [name for name, command in commands() if not command.help] == []


def test_every_route_is_on_the_page_with_who_may_ask() -> None:
    page = text_of(FOLDER / "api.md")
    assert page.count("| `") == len(ROUTES) + 3, "three routes of health and metrics are anybody's"


def test_every_refusal_says_what_it_is_and_most_what_to_do() -> None:
    found = errors.refusals()
    assert [one.code for one in found if not one.about] == []
    assert sum(bool(one.remedy) for one in found) > 0.8 * len(found)
    assert {one.status for one in found} <= {401, 403, 404, 409, 413, 422, 429, 500, 503}
