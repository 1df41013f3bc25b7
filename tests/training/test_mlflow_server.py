"""How the analysts' server is started: on this machine, with passwords that nobody else reads."""

from __future__ import annotations

import configparser
import stat
from pathlib import Path

import pytest

from training.mlflow_server import (
    MlflowStoreDown,
    _access_settings,
    admin_password,
    client_environment,
    prepare_server,
    server_command,
    server_environment,
    store_url,
)

SOCKET = "postgresql://postgres@/yidai?host=%2Ftmp%2Fpg"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (SOCKET, "postgresql+psycopg://postgres@/mlflow?host=%2Ftmp%2Fpg"),
        ("postgresql://u:p%40x@db:5433/yidai", "postgresql+psycopg://u:p%40x@db:5433/mlflow"),
        ("postgresql:///yidai?host=%2Ftmp", "postgresql+psycopg:///mlflow?host=%2Ftmp"),
    ],
)
def test_another_database_of_the_same_server(url, expected) -> None:
    assert store_url(url, "mlflow") == expected


def test_the_command_holds_no_address_and_no_password_of_a_database(tmp_path) -> None:
    command = " ".join(server_command(port=5111))
    assert "--host 127.0.0.1" in command
    assert "--port 5111" in command
    assert "--app-name basic-auth" in command
    assert "postgres" not in command
    assert admin_password(tmp_path) not in command


def test_the_admins_password_is_made_once_and_is_its_owners_only(tmp_path) -> None:
    first = admin_password(tmp_path)
    assert len(first) >= 24
    assert admin_password(tmp_path) == first
    assert admin_password(tmp_path / "other") != first
    for path in (tmp_path / "mlflow").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "mlflow").stat().st_mode) == 0o700


def test_server_and_client_share_the_password(tmp_path) -> None:
    server, client = server_environment(tmp_path, SOCKET), client_environment(tmp_path, port=5111)
    assert server["MLFLOW_AUTH_ADMIN_PASSWORD"] == client["MLFLOW_TRACKING_PASSWORD"]
    assert client["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5111"
    assert server["MLFLOW_BACKEND_STORE_URI"] == store_url(SOCKET, "mlflow")
    assert Path(server["MLFLOW_AUTH_CONFIG_PATH"]).parent == tmp_path / "mlflow"


def test_the_access_settings_are_read_by_mlflow_as_they_were_meant() -> None:
    settings = configparser.ConfigParser()
    settings.read_string(_access_settings(store_url(SOCKET, "mlflow_auth")))
    assert settings["mlflow"]["database_uri"] == "postgresql+psycopg://postgres@/mlflow_auth?host=%2Ftmp%2Fpg"
    assert settings["mlflow"]["default_permission"] == "READ"
    assert "admin_password" not in settings["mlflow"]


def test_a_database_that_does_not_answer_is_said_plainly(tmp_path) -> None:
    with pytest.raises(MlflowStoreDown, match="the database of MLflow does not answer"):
        prepare_server(tmp_path, "postgresql://nobody@127.0.0.1:1/none")
