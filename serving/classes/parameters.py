"""Documents of classes from a file or the registry, checked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from features.canonical import UNREADABLE, canonical_bytes
from features.contracts.documents import convert, parse_yaml
from features.errors import Integrity, Invalid
from serving.classes.checks import findings
from serving.classes.document import ClassesDocument
from serving.policy.findings import Finding

SHIPPED = Path(__file__).with_name("parameters.yaml")
"""What Yidai ships."""


class BrokenClasses(Invalid):
    """Rules of classes or losses that may not be used."""

    def __init__(self, found: Finding, more: int) -> None:
        told = f" ({more} more: `yidai classes check` lists all.)" if more else ""
        super().__init__(found.problem, place=f"classes: {found.place}", remedy=found.remedy + told)


def load_classes(path: Path, features: Iterable[str] | None = None) -> ClassesDocument:
    """Classes from YAML, every name checked where the features are given.

    Raises:
        BrokenDocument, BrokenClasses: with the place and what to mend.
    """
    document = convert(parse_yaml(path), ClassesDocument, path)
    check_classes(document, features)
    return document


def read_classes(data: bytes) -> ClassesDocument:
    """The classes in these canonical bytes, as the registry keeps them.

    Raises:
        Integrity: not canonical, or no classes.
        BrokenClasses: what may not be used.
    """
    try:
        document = msgspec.json.decode(data, type=ClassesDocument)
        canonical = canonical_bytes(msgspec.json.decode(data))
    except UNREADABLE as error:
        raise Integrity(f"the classes cannot be read: {error}.") from error
    if canonical != data:
        raise Integrity(
            "the classes are not in canonical form.", remedy="Submit them with the command from their YAML."
        )
    check_classes(document)
    return document


def check_classes(document: ClassesDocument, features: Iterable[str] | None = None) -> None:
    """Nothing, where all is well.

    Raises:
        BrokenClasses: with the first finding.
    """
    found = findings(document, features)
    if found:
        raise BrokenClasses(found[0], len(found) - 1)
