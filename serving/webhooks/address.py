"""Where a webhook may go: to nothing that only this machine or its network can reach, unless a setting lets it.

The check is made when a URL is registered and again when it is called, and the call goes to the very address that was
checked: a name that turns into another address in between leads nowhere.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from features.errors import Invalid
from serving.process.telling import holds_number

_LONGEST = 500
_REMEDY = "Name an https:// URL that the internet can reach; YIDAI_WEBHOOKS_PRIVATE=yes lets private ones be called."

_WITHOUT = "Name the URL without it; let the receiver check the signature."
_CREDENTIAL = re.compile(
    r"(?i)(?:.*[._-])?(?:token|secret|password|passwd|pwd|api[_-]?key|access[_-]?key|auth|authorization|credentials?)"
)
"""Names of what a query may not carry."""
_ELSEWHERE = [
    ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "fec0::/10")
]
"""Translated to an IPv4 address by a gateway (RFC 6052, RFC 8215), compatible with one (RFC 4291), and local to a site
(RFC 3879): where they lead depends on the network, and the library holds some of them for global."""


class WrongUrl(Invalid):
    """A URL to which nothing is sent."""

    def __init__(self, problem: str, remedy: str = _REMEDY) -> None:
        super().__init__(problem, place="url", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL whose host was looked up: ``address`` is where it is called."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def authority(self) -> str:
        """The header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The URL with the checked address instead of the name."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{address}:{self.port}{self.path}"


_PORTS = {"https": 443, "http": 80}


def check_url(url: str, *, private: bool) -> None:
    """Refuse what cannot be called by its form; nothing is looked up, so that nobody learns of a name's address.

    Raises:
        WrongUrl: the form, or an address that is not let.
    """
    parts = _parts(url)
    address = _literal(parts.host)
    if address is not None:
        _let(address, private=private)
    elif parts.host == "localhost" or parts.host.endswith((".localhost", ".internal", ".local")):
        _named(private=private)
    if parts.scheme == "http" and not _loopback(parts.host):
        raise WrongUrl("a webhook goes over https; over http only to this machine itself.")


def look_up(url: str, *, private: bool) -> Target:
    """Where a URL is called now.

    Raises:
        WrongUrl: as ``check_url``, and where any address of the name is not let.
        OSError: the name is unknown.
    """
    check_url(url, private=private)
    parts = _parts(url)
    found = socket.getaddrinfo(parts.host, parts.port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        _let(ipaddress.ip_address(address.partition("%")[0]), private=private)
    return Target(parts.scheme, parts.host, parts.port, parts.path, addresses[0])


def _parts(url: str) -> Target:
    try:
        split = urlsplit(url)
        # a name that ends with a dot is the same name
        host, port = (split.hostname or "").removesuffix("."), split.port
    except ValueError:
        raise WrongUrl("this is no URL.") from None
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    if split.scheme not in _PORTS or not all(host.split(".")) or not plain:
        raise WrongUrl("this is no https:// URL of at most 500 plain characters.")
    if split.username is not None or split.password is not None or split.fragment:
        raise WrongUrl(
            "a webhook's URL has no password and no fragment; the signature says who calls.", _WITHOUT
        )
    if any(_CREDENTIAL.fullmatch(name) for name, _ in parse_qsl(split.query, keep_blank_values=True)):
        raise WrongUrl(
            "a webhook's URL has no credential in its query; the signature says who calls.", _WITHOUT
        )
    if holds_number(unquote(url)):
        raise WrongUrl("a webhook's URL is listed and logged; this one holds somebody's number.", _WITHOUT)
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return Target(split.scheme, host, port or _PORTS[split.scheme], path, "")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:  # 127.1, 2130706433 and 0x7f000001 are addresses too, for whoever connects
        return ipaddress.ip_address(socket.inet_aton(host))
    except OSError:
        return None


def _loopback(host: str) -> bool:
    address = _literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _let(address: ipaddress.IPv4Address | ipaddress.IPv6Address, *, private: bool) -> None:
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    for each in (address, mapped or address):
        if not each.is_global or each.is_multicast or any(each in network for network in _ELSEWHERE):
            _named(private=private)


def _named(*, private: bool) -> None:
    if not private:
        raise WrongUrl("this address is private: only this machine or its network reaches it.")
