"""Around every answer of the console: the hosts that it answers to, and the headers that each answer carries."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import Invalid
from serving.console.pages import HEADERS
from serving.process.problems import problem
from serving.settings import Settings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_YEAR = "max-age=31536000"


class WrongHost(Invalid):
    """A request that names a host which is not the console: a name of somebody else that leads here, or a missing setting."""

    def __init__(self) -> None:
        super().__init__(
            "the console is not opened under this name.",
            place="Host",
            remedy="Set YIDAI_CONSOLE_URL to the address at which people open the console.",
        )


class HiddenAddress(Invalid):
    """An address with a character that no page has."""

    def __init__(self) -> None:
        super().__init__("the address holds a NUL.", place="address", remedy="Open the page by its link.")


class Guarded:
    """ASGI middleware: refuses other hosts and NULs, and gives each answer the headers of a page that it lacks."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        ours = urlsplit(settings.console_url)
        self._hosts = _LOOPBACK | {settings.host, ours.hostname or settings.host}
        secure = {"Strict-Transport-Security": _YEAR} if ours.scheme == "https" else {}
        self._headers = [
            (name.lower().encode(), value.encode()) for name, value in (HEADERS | secure).items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                message["headers"] = given + [each for each in self._headers if each[0] not in names]
            await send(message)

        refused = self._refusal(scope)
        await (self._app if refused is None else problem(refused))(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Invalid | None:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        if _name(host) not in self._hosts and not scope["path"].startswith("/health/"):
            return WrongHost()
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return HiddenAddress()
        return None


def _name(host: str) -> str:
    """The host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
