"""The pages of the console and of the four doors: their commands run, and both languages say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.cli import app
from serving.log.operations import seal_all
from serving.settings import settings_reference
from tests.serving.cases.desk import decided
from tests.serving.world import GOOD, Bank, Client

DOCS = Path(__file__).parents[3] / "docs"
DOORS = {"engineer": "administrator", "analyst": "analyst", "officer": "risk_officer", "auditor": "auditor"}


def commands(page: str) -> list[str]:
    """The commands of a page."""
    return re.findall(r"^\$ yidai (.+)$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def at_the_bank(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Commands go to the module's bank."""
    for name in ("home", "database_url", "master_key_file"):
        monkeypatch.setenv(f"YIDAI_{name.upper()}", str(getattr(bank.settings, name)))
    return monkeypatch


def run(command: str) -> str:
    """What a command prints; it must end well."""
    done = CliRunner().invoke(app, command.split(), catch_exceptions=False)
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.stdout


def test_each_command_of_the_console_does_what_the_page_says(at_the_bank: pytest.MonkeyPatch) -> None:
    at_the_bank.setenv("YIDAI_OIDC_ISSUER", "https://sso.bank.example")
    said = [run(command) for command in commands("console.md")]
    assert len(said) == 8
    assert "li" in said[2]
    assert said[-1].strip() == "chen is ended."


@pytest.mark.parametrize("door", DOORS)
def test_each_command_of_a_door_runs_for_who_stands_before_it(
    at_the_bank: pytest.MonkeyPatch, bank: Bank, client: Client, door: str
) -> None:
    decided(client, GOOD, "approve")
    seal_all(bank.settings, bank.database, bank.clock())
    at_the_bank.setenv("YIDAI_TOKEN", bank.tokens[DOORS[door]])
    found = commands(f"doors/{door}.md")
    assert len(found) >= 3
    for command in found:
        assert run(command), command


@pytest.mark.parametrize("page", ["console", *(f"doors/{door}" for door in DOORS)])
def test_both_languages_name_the_same_commands_settings_and_pages(page: str) -> None:
    texts = [(DOCS / f"{page}{end}.md").read_text(encoding="utf-8") for end in ("", ".zh")]
    for pattern in (r"^\$ .+$", r"`(YIDAI_[A-Z_]+)`", r"\]\(([^)#]+?)(?:\.zh)?(?:\.md)?[)#]"):
        one, other = (sorted(set(re.findall(pattern, text, re.MULTILINE))) for text in texts)
        assert [each for each in one if "pictures" not in each] == [
            each for each in other if "pictures" not in each
        ]


def test_both_readmes_name_the_same_commands_and_doors() -> None:
    one, other = ((DOCS.parent / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    for text in (one, other):
        assert re.findall(r"^\$ make (\w+)", text, re.MULTILINE)[:2] == ["demo", "test"]
        assert {f"doors/{door}" for door in DOORS} <= {
            each.removesuffix(".zh") for each in re.findall(r"docs/([a-z/.]+)\.md", text)
        }


def test_each_setting_of_the_pages_is_one() -> None:
    named = set(re.findall(r"YIDAI_[A-Z_]+", (DOCS / "console.md").read_text(encoding="utf-8")))
    assert not [name for name in named if f"`{name.removesuffix('_FILE')}`" not in settings_reference()]
