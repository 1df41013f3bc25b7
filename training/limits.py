"""What a model in use may show before a person must look: data, read without anything that looks."""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.contracts.documents import convert, parse_yaml
from features.errors import Invalid

SHIPPED = Path(__file__).with_name("monitoring.yaml")
LONGEST = 366
"""So many days a person may have at most."""
_SHARES = ("auc_fall", "absent_rise")
_PSI = ("psi", "csi", "reasons_psi")


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a month may show before a person must look, and how many days that person has. PSI and CSI count only where
    they exceed chance too; ``auc_fall`` only where the interval leaves the reference out; ``absent_rise`` is the rise of
    the share of rows of which a source tells nothing.
    """

    schema: int
    psi: float
    csi: float
    reasons_psi: float
    auc_fall: float
    absent_rise: float
    rows: int
    """Months of fewer rows are told and never found wanting."""
    bads: int
    """Nor is the ranking of months of fewer bads."""
    due_days: int
    owner: str


class BrokenLimits(Invalid):
    """Limits past which nothing, or everything, would be found, or whose findings nobody would own."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=f"monitoring: {place}", remedy=remedy)


def check_limits(found: Limits) -> Limits:
    """The same, where a month can be found wanting and has an owner and a day.

    Raises:
        BrokenLimits: with the place and what to mend.
    """
    if found.schema != 1:
        raise BrokenLimits("schema", f"schema {found.schema} is not known.", "Write schema: 1.")
    for name in (*_PSI, *_SHARES):
        value = getattr(found, name)
        if not 0 < value < (float("inf") if name in _PSI else 1):
            most = "" if name in _PSI else " and below 1"
            raise BrokenLimits(name, f"{value} is no limit.", f"Write a figure above 0{most}.")
    for name in ("rows", "bads", "due_days"):
        if getattr(found, name) < 1:
            raise BrokenLimits(name, f"{getattr(found, name)} is too few.", "Write 1 or more.")
    if found.due_days > LONGEST:
        raise BrokenLimits("due_days", f"{found.due_days} is too many.", f"Write {LONGEST} or fewer.")
    if not found.owner.strip():
        raise BrokenLimits("owner", "nobody would own what is found.", "Name a role or a person.")
    return found


def load_limits(path: Path = SHIPPED) -> Limits:
    """The limits in a file.

    Raises:
        BrokenDocument, BrokenLimits: with place and remedy.
    """
    return check_limits(convert(parse_yaml(path), Limits, path))
