"""A notice as a page fit for printing: one file, no scripts, both languages."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from serving.rights.notice import Notice

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""The page holds nothing that runs, and nobody keeps or frames it."""
MISSING = {
    "NO_RECORD": ("没有记录", "no record"),
    "SOURCE_DOWN": ("来源暂不可用", "the source did not answer"),
    "NOT_AUTHORISED": ("未获授权，未读取", "not read: no consent"),
}


@cache
def _template() -> Template:
    loader = PackageLoader("serving.rights", ".")
    environment = Environment(
        loader=loader, autoescape=select_autoescape(["html"]), undefined=StrictUndefined
    )
    environment.filters["yuan"] = lambda fen: f"{fen / 100:,.2f}"
    environment.filters["percent"] = lambda share: f"{share:.2%}"
    return environment.get_template("notice.html")


def render(notice: Notice) -> str:
    """The page; every text of the notice is escaped."""
    return _template().render(notice=notice, missing=MISSING)
