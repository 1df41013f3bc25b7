"""People at the console, over real HTTP and with the cookies that a browser would keep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

import httpx
from argon2 import PasswordHasher

from serving.access.model import Role
from serving.access.users import create_user, users_of
from serving.store.session import owner_transaction
from tests.serving.world import Bank

PASSWORD = "correct horse battery"
_CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""People sign in hundreds of times here; what a real password costs is tried where it is set."""
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def person(bank: Bank, name: str, *roles: Role, password: str = PASSWORD, must_change: bool = False) -> None:
    """Somebody who can sign in; again only the password is set."""
    if name not in {user.name for user in users_of(bank.database, "city", bank.clock())}:
        create_user(bank.database, "city", name, roles, bank.clock())
    with owner_transaction(bank.database) as owner:
        owner.execute(
            "INSERT INTO account SELECT actor_id, %s, %s, %s FROM actor WHERE tenant_id = 'city' AND name = %s"
            " ON CONFLICT (actor_id) DO UPDATE SET password = excluded.password, must_change = excluded.must_change",
            (_CHEAP.hash(password), bank.clock(), must_change, name),
        )


@dataclass
class Guest:
    """A browser."""

    http: httpx.Client

    def get(self, path: str, **more: str) -> httpx.Response:
        """A page, as a browser asks for it."""
        return self.http.get(
            f"/console{path}", headers={"accept": "text/html", "accept-language": "en"} | more
        )

    def post(self, path: str, /, csrf: str | None = None, **fields: object) -> httpx.Response:
        """A form, with the token of the session's own pages unless another is given."""
        token = self.csrf() if csrf is None else csrf
        return self.http.post(
            f"/console{path}", data={"csrf": token, **fields}, headers={"accept-language": "en"}
        )

    def sign_in(
        self, name: str, password: str = PASSWORD, tenant: str = "city", target: str = ""
    ) -> httpx.Response:
        """Send the form of the sign-in page."""
        fields = {"tenant": tenant, "name": name, "password": password, "target": target}
        return self.http.post("/console/sign-in", data=fields)

    def csrf(self) -> str:
        """The token that the session's pages put into their forms; empty where nobody is signed in."""
        found = _CSRF.search(self.get("/password").text)
        return found[1] if found else ""


def text_of(answer: httpx.Response) -> str:
    """A page's text as a person reads it."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))
