"""The page about security: its commands run as they stand there, and it names what is there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.cli import app
from serving.settings import Settings, settings_reference
from serving.store.keys import KeyFile
from tests.serving.world import Bank

PAGE = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ yidai (.+)$", PAGE, re.MULTILINE)


def test_each_command_does_what_the_page_says(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bank.settings.home / "page.key"
    path.write_bytes(bank.settings.key_file.read_bytes())
    settings = replace(bank.settings, master_key_file=path)
    for name in ("home", "database_url", "master_key_file"):
        monkeypatch.setenv(f"YIDAI_{name.upper()}", str(getattr(settings, name)))
    said = {}
    for command in COMMANDS:
        done = CliRunner().invoke(app, command.split(), catch_exceptions=False)
        assert done.exit_code == 0, command
        said[" ".join(command.split()[:2])] = done.stdout
    assert len(COMMANDS) == 5
    assert said["tokens create"].startswith("yd_")
    assert said["tokens rotate"].startswith("yd_")
    assert said["tokens rotate"].strip() not in said["tokens list"]
    assert "2 tokens of shop ended" in said["tokens revoke"]
    assert "data keys are under the new master key" in said["keys rotate"]
    assert KeyFile.read(path).master is not None


def test_each_setting_of_the_page_is_one() -> None:
    named = set(re.findall(r"`(YIDAI_[A-Z_]+)`", PAGE))
    assert len(named) >= 6
    assert [name for name in named if f"`{name}`" not in settings_reference()] == []
    assert Settings().tenant_rate > 0
