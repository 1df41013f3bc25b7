"""The pages of the reference that code and policies say: ``python -m tests.reference.pages`` writes them anew."""

from __future__ import annotations

from collections.abc import Callable

from tests.architecture.test_guards import ROOT
from tests.reference import errors, routes, words

FOLDER = ROOT / "docs/reference"
AGAIN = "Write it anew: python -m tests.reference.pages"
PAGES: dict[str, Callable[[], str]] = {
    "api": routes.api_page, "commands": routes.commands_page, "errors": errors.page, "facts": words.facts_page,
    "reasons": words.reasons_page,
}  # fmt: skip


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / f"{name}.md").write_text(page(), encoding="utf-8")
