"""How the analysts' MLflow server is started: on Yidai's PostgreSQL, on this machine only, with passwords.

MLflow itself is not imported: the server is a process of its own. Its access settings are the file
``mlflow/basic_auth.ini``; addresses and passwords reach it by the environment and by files that only
their owner can read, never by the command line, which everybody on the machine can see.
"""

from __future__ import annotations

import configparser
import io
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from features.errors import Invalid, Unavailable

ADMIN = "admin"
TRACKING_DATABASE = "mlflow"
AUTH_DATABASE = "mlflow_auth"
HOST = "127.0.0.1"
PORT = 5100
TEMPLATE = Path(__file__).parents[1] / "mlflow" / "basic_auth.ini"


class MlflowStoreDown(Unavailable):
    """The PostgreSQL server on which MLflow keeps its account does not answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the database of MLflow does not answer: {reason}.",
            place="MLflow",
            remedy="Check that PostgreSQL runs (`yidai doctor`) and that its owner may create databases.",
        )


def server_command(host: str = HOST, port: int = PORT) -> list[str]:
    """The command of the server, to be run with ``server_environment`` after ``prepare_server``."""
    return [
        sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth",
        "--host", host, "--port", str(port), "--workers", "1",
    ]  # fmt: skip


def prepare_server(home: Path, database_url: str) -> None:
    """Make the two databases, the admin's password and the access settings, where they are not there yet.

    ``database_url`` is any database of the PostgreSQL server, as its owner.

    Raises:
        MlflowStoreDown: the server cannot be reached, or a database may not be created.
    """
    for name in (TRACKING_DATABASE, AUTH_DATABASE):
        _create_database(database_url, name)
    (_folder(home) / "artifacts").mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(_config(home), _access_settings(store_url(database_url, AUTH_DATABASE)))


def server_environment(home: Path, database_url: str) -> dict[str, str]:
    """What the server's process needs in its environment, beside what it inherits."""
    return {
        "MLFLOW_BACKEND_STORE_URI": store_url(database_url, TRACKING_DATABASE),
        "MLFLOW_ARTIFACTS_DESTINATION": (_folder(home) / "artifacts").as_uri(),
        "MLFLOW_AUTH_CONFIG_PATH": str(_config(home)),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": admin_password(home),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret(_folder(home) / "session.key"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def client_environment(home: Path, host: str = HOST, port: int = PORT) -> dict[str, str]:
    """What ``training.tracking`` needs in its environment to speak to that server."""
    return {
        "MLFLOW_TRACKING_URI": f"http://{host}:{port}",
        "MLFLOW_TRACKING_USERNAME": ADMIN,
        "MLFLOW_TRACKING_PASSWORD": admin_password(home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def admin_password(home: Path) -> str:
    """The password of MLflow's ``admin``, made at first use and kept under ``home`` for its owner only."""
    return _secret(_folder(home) / "admin.password")


def store_url(database_url: str, name: str) -> str:
    """The SQLAlchemy address of another database of the same server."""
    parts = urlsplit(database_url)
    query = f"?{parts.query}" if parts.query else ""
    return f"postgresql+psycopg://{parts.netloc}/{name}{query}"


def _create_database(database_url: str, name: str) -> None:
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise MlflowStoreDown(str(error).strip().split("\n", 1)[0]) from None


def _access_settings(auth_url: str) -> str:
    """The template with the address filled in; ``%`` is doubled because MLflow's reader interpolates."""
    settings = configparser.ConfigParser(interpolation=None)
    if not settings.read(TEMPLATE, encoding="utf-8"):
        raise Invalid("it is not there.", place="mlflow/basic_auth.ini", remedy="Run from a whole checkout.")
    for name, value in settings["mlflow"].items():
        settings["mlflow"][name] = value.replace("%", "%%")
    settings["mlflow"]["database_uri"] = auth_url.replace("%", "%%")
    text = io.StringIO()
    settings.write(text)
    return text.getvalue()


def _folder(home: Path) -> Path:
    return home.resolve() / "mlflow"


def _config(home: Path) -> Path:
    return _folder(home) / "basic_auth.ini"


def _secret(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8").strip()


def _write_private(path: Path, text: str) -> None:
    """Write a file that is its owner's only from its first byte, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    draft.rename(path)
