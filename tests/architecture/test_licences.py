"""What is installed: under which licences, and that its known weaknesses can be asked for."""

from __future__ import annotations

import re
from email.message import Message

import pytest

from tests.architecture.licences import (
    AGAIN,
    PAGE,
    REASONS,
    STATED,
    STRONG,
    WEAK,
    licence_of,
    locked,
    packages,
    rows,
)
from tests.architecture.test_guards import ROOT, text_of, tracked


def test_every_locked_package_tells_its_licence() -> None:
    assert [one.name for one in packages() if not one.licence or one.licence == "OSI Approved"] == []
    assert set(STATED) <= set(locked())
    assert len(packages()) > 0.9 * len(locked()), "the rest are of other systems"


def test_no_licence_binds_our_own_code_without_a_written_reason() -> None:
    bound = {one.name for one in packages() if STRONG.search(one.licence) and not WEAK.search(one.licence)}
    assert bound <= set(REASONS)
    partly = {one.name for one in packages() if re.search("LGPL|Lesser", one.licence)}
    assert partly == set(REASONS), "each reason is of a package that is there"


@pytest.mark.parametrize(("licence", "strong"), [
    ("GPL-3.0-or-later", True), ("AGPL-3.0-only", True), ("GNU General Public License v3 (GPLv3)", True), ("EUPL-1.2", True),
    ("MIT", False), ("Apache-2.0", False), ("MPL-2.0", False), ("LGPL-3.0-only", False),
])  # fmt: skip
def test_a_strong_licence_is_told_from_others(licence: str, *, strong: bool) -> None:
    assert bool(STRONG.search(licence) and not WEAK.search(licence)) is strong


def test_a_licence_is_read_wherever_it_is_told() -> None:
    told = Message()
    assert licence_of(told) == ""
    told["License"] = "BSD\nand the whole text"
    assert licence_of(told) == "BSD"
    told["Classifier"] = "License :: OSI Approved :: MIT License"
    assert licence_of(told) == "MIT License"
    told["License-Expression"] = "MIT"
    assert licence_of(told) == "MIT"


def test_the_page_is_that_of_the_locks() -> None:
    told = {
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in text_of(PAGE).splitlines()
        if line.startswith("|")
    }
    assert [row for row in rows() if row not in told] == [], AGAIN
    versions = {name: version for name, (version, _) in locked().items()}
    assert {row[0]: row[1] for row in told if row[0] in versions}.items() <= versions.items(), AGAIN
    assert {row[0] for row in told} - set(versions) == {"package", "---"}, AGAIN


def test_the_audit_looks_at_every_lock() -> None:
    recipe = text_of(ROOT / "Makefile").split("\naudit:", 1)[1].split("\n\n", 1)[0]
    assert "requirements/*.txt" in recipe
    assert "--require-hashes" in recipe
    assert "--no-deps" in recipe
    assert len(tracked("requirements/*.txt")) >= 5
