"""Settings: typed, named when they are wrong, and each of them documented."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from features.calendar import instant
from serving.process.given import TwoSecrets, UnreadableSecret, variable_of
from serving.settings import (
    Settings,
    UnknownSetting,
    WrongSetting,
    check_names,
    settings_reference,
)
from tests.serving.world import Bank, asking, problem

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_what_the_code_says() -> None:
    again = "Write it anew: python -m serving.settings > docs/settings.md"
    assert PAGE.read_text(encoding="utf-8") == settings_reference(), again


def test_every_setting_is_on_the_page() -> None:
    for each in fields(Settings):
        assert f"| `{variable_of(each.name)}` " in settings_reference()
        assert each.metadata["about"].endswith(".")


def test_without_variables_the_defaults_hold() -> None:
    assert Settings.load({"PATH": "/bin", "OTHER": "x"}) == Settings()


def test_values_are_typed() -> None:
    found = Settings.load({
        "YIDAI_HOME": "there", "YIDAI_PORT": "8200", "YIDAI_AS_OF": "2024-12-31", "YIDAI_SOURCES_DOWN": " a, b,,",
        "YIDAI_SWEEP_SECONDS": "0.5", "YIDAI_TOKEN": "t", "YIDAI_MASTER_KEY_FILE": "",
    })  # fmt: skip
    expected = Settings(
        home=Path("there"), port=8200, as_of=instant("2024-12-31"), sources_down=("a", "b"), sweep_seconds=0.5,
        token="t",
    )  # fmt: skip
    assert found == expected
    assert found.key_file == Path("there/master.key")
    assert found.lake_root == Path("there/lake")
    assert replace(found, master_key_file=Path("k")).key_file == Path("k")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("YIDAI_PORT", "http", "a port"),
        ("YIDAI_PORT", "0", "a port"),
        ("YIDAI_PORT", "65536", "a port"),
        ("YIDAI_PORT", "", "a port"),
        ("YIDAI_POOL_SIZE", "0", "above zero"),
        ("YIDAI_GROUP_SIZE", "-1", "above zero"),
        ("YIDAI_BODY_LIMIT", "64k", "above zero"),
        ("YIDAI_SWEEP_SECONDS", "nan", "seconds"),
        ("YIDAI_SWEEP_SECONDS", "inf", "seconds"),
        ("YIDAI_SWEEP_SECONDS", "0", "seconds"),
        ("YIDAI_TENANT", "City bank", "a tenant"),
        ("YIDAI_TENANT", "", "a tenant"),
        ("YIDAI_AS_OF", "yesterday", "an ISO date"),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_was_expected(variable, value, expected) -> None:
    with pytest.raises(WrongSetting, match=expected) as refusal:
        Settings.load({variable: value})
    assert refusal.value.place == variable
    assert repr(value) in refusal.value.message


def test_a_misspelt_variable_is_refused_with_the_likely_one() -> None:
    check_names({"YIDAI_PORT": "1", "PATH": "", "YIDAI_CAMPAIGN": "slice"}, ("YIDAI_CAMPAIGN",))
    with pytest.raises(UnknownSetting, match=r"Did you mean YIDAI_DATABASE_URL\?") as refusal:
        check_names({"YIDAI_DATABSE_URL": "x"})
    assert refusal.value.place == "YIDAI_DATABSE_URL"
    with pytest.raises(UnknownSetting, match="Known: YIDAI_HOME"):
        check_names({"YIDAI_QQQQ": "x"})


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings(token="yd_secret", database_url="postgresql://me:word@there/db"))
    assert "yd_secret" not in shown
    assert "word" not in shown


def test_every_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secrets = [each.name for each in fields(Settings) if not each.repr]
    assert {"token", "database_url"} <= set(secrets)
    for name in secrets:
        path = tmp_path / name
        path.write_text("postgresql://me:word@there/db\n")
        check_names({f"{variable_of(name)}_FILE": ""})
        found = Settings.load({f"{variable_of(name)}_FILE": str(path)})
        assert getattr(found, name) == "postgresql://me:word@there/db"
        assert "word" not in repr(found)
        with pytest.raises(TwoSecrets, match="both set") as refusal:
            Settings.load({variable_of(name): "hidden", f"{variable_of(name)}_FILE": str(path)})
        assert "hidden" not in str(refusal.value)
        with pytest.raises(UnreadableSecret, match="no text file that can be read"):
            Settings.load({f"{variable_of(name)}_FILE": str(tmp_path / "absent")})
    assert Settings.load({"YIDAI_TOKEN": "t", "YIDAI_TOKEN_FILE": ""}).token == "t"


def test_a_source_that_does_not_exist_cannot_be_taken_down_unnoticed(bank: Bank) -> None:
    with asking(bank, replace(bank.settings, sources_down=("bank_transactoin",))) as client:
        refused = problem(client.http.get("/health/ready"), 422, "wrong_setting")
    assert refused["place"] == "YIDAI_SOURCES_DOWN"
    assert "bank_transactoin" in refused["detail"]
