"""The licences of what the locks install: ``python -m tests.architecture.licences`` writes their page anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from typing import cast

from features.reference import table
from tests.architecture.test_guards import ROOT, text_of

PAGE = ROOT / "docs/reference/licences.md"
AGAIN = "Write it anew: python -m tests.architecture.licences"
LOCKS = {"run.txt": "run", "dev.txt": "develop"}
STRONG = re.compile(r"\b(?:A?GPL|EUPL|SSPL|OSL|CPAL)|copyleft|General Public License", re.IGNORECASE)
WEAK = re.compile(r"\bLGPL|Lesser General Public|\bMPL|Mozilla", re.IGNORECASE)
STATED = {
    "axe-playwright-python": "MIT", "huey": "MIT", "skops": "MIT",
}  # fmt: skip
"""What packages say in their texts and not in their metadata."""
REASONS = {
    "psycopg": "LGPL: used as it is through its public interface; nothing of it is changed or copied.",
    "psycopg-binary": "LGPL: the compiled half of psycopg, used the same way.",
}
"""Why a package whose licence binds in part is used."""


@dataclass(frozen=True, slots=True)
class Package:
    """A locked package: ``need`` is run or develop, ``licence`` what its own metadata say."""

    name: str
    version: str
    need: str
    licence: str


def locked() -> dict[str, tuple[str, str]]:
    """Each locked package by name: version, and the first of the locks that needs it. What only other systems install
    (a marker says so) is left out where it is not there.
    """
    found: dict[str, tuple[str, str]] = {}
    for lock, need in LOCKS.items():
        for name, version in re.findall(
            r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text_of(ROOT / "requirements" / lock), re.MULTILINE
        ):
            found.setdefault(name, (version, need))
    return found


@cache
def packages() -> tuple[Package, ...]:
    """Those of the locked that are installed here."""
    made = []
    for name, (version, need) in sorted(locked().items()):
        try:
            told = cast("Message", metadata(name))
        except PackageNotFoundError:
            continue
        made.append(Package(name, version, need, STATED.get(name) or licence_of(told)))
    return tuple(made)


def licence_of(told: Message) -> str:
    """The licence's expression, or its classifiers, or the first line of its text."""
    if expression := told["License-Expression"]:
        return str(expression)
    classifiers = [str(one) for one in told.get_all("Classifier", [])]
    kinds = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License ::")]
    text = str(told["License"] or "").strip().splitlines()
    return "; ".join(kinds) or (text[0][:60] if text else "")


def page() -> str:
    """Markdown of the table."""
    found = packages()
    weak = sum(bool(WEAK.search(one.licence)) for one in found)
    lines = [
        "# Licences",
        "",
        "Generated from the locks by `python -m tests.architecture.licences`; do not edit.",
        "",
    ]
    needed = sum(one.need == "run" for one in found)
    counts = f"{len(found)} packages, {needed} of them to run; {weak} under a weak copyleft (LGPL, MPL), none under a strong one"
    lines += [f"{counts}. Yidai itself is under Apache-2.0, and no source of others is in its tree.", ""]
    lines += table(("package", "version", "needed to", "licence", "why"), rows())
    return "\n".join(lines).rstrip() + "\n"


def rows() -> list[tuple[str, ...]]:
    """A row a package."""
    return [(one.name, one.version, one.need, one.licence, REASONS.get(one.name, "")) for one in packages()]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
