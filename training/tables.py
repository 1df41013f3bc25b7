"""Tables and pictures of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def table(names: Sequence[str], lines: Iterable[Sequence[object]], texts: int = 0) -> str:
    """A table whose first ``texts`` columns are set left, the numbers after them right."""

    def cell(tag: str, place: int, value: object) -> str:
        text = value if isinstance(value, Html) else escape(str(value))
        return f"<{tag}{'' if place < texts else ' class=n'}>{text}</{tag}>"

    def row(tag: str, values: Sequence[object]) -> str:
        return "<tr>" + "".join(cell(tag, place, value) for place, value in enumerate(values)) + "</tr>"

    head = row("th", names) if any(names) else ""
    return f"<div class='wide'><table>{head}{''.join(row('td', line) for line in lines)}</table></div>"


def gallery(charts: Mapping[str, str]) -> str:
    """Charts (SVG by caption) side by side; those that there are none of are left out."""
    cells = (
        f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>"
        for name, svg in charts.items()
        if svg
    )
    return f"<div class='pictures'>{''.join(cells)}</div>"
