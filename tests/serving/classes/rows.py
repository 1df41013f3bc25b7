"""Documents, values and exposures for the tests of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from features.contracts.documents import convert, parse_yaml
from serving.classes.document import ClassesDocument, Losses
from serving.classes.losses import Exposures
from serving.classes.parameters import SHIPPED, load_classes
from serving.watch.raising import Values

DOCUMENT = load_classes(SHIPPED)
(LOSSES,) = DOCUMENT.losses
(RECOVERY,) = DOCUMENT.recovery


def changed(path: tuple[str | int, ...], value: Any) -> ClassesDocument:
    """The shipped document with one place changed, unchecked."""
    plain = parse_yaml(SHIPPED)
    within = plain
    for step in path[:-1]:
        within = within[step]
    within[path[-1]] = value
    return convert(plain, ClassesDocument, "changed")


def values(**columns: list[float]) -> Values:
    """Values that are all known; NaN is not."""
    arrays = {name: np.array(column, dtype=float) for name, column in columns.items()}
    known = {name: ~np.isnan(column) for name, column in arrays.items()}
    return Values({name: np.nan_to_num(column) for name, column in arrays.items()}, known)


def exposures(loans: list[dict[str, Any]]) -> Exposures:
    """Of plain loans: balance, rate, lgd, stage, lines as (month, principal), hazard by month."""
    lines = [loan["lines"] for loan in loans]
    first = np.concatenate([[0], np.cumsum([len(each) for each in lines])]).astype(np.int64)
    flat = [line for each in lines for line in each]
    longest = max(len(loan["hazard"]) for loan in loans)
    hazard = np.array(
        [[*loan["hazard"], *[loan["hazard"][-1]] * (longest - len(loan["hazard"]))] for loan in loans]
    )
    return Exposures(
        *(np.array([loan[name] for loan in loans], dtype=np.int64) for name in ("balance", "rate", "lgd")),
        np.array([loan["stage"] for loan in loans], dtype=np.int8), first,
        np.array([month for month, _ in flat], dtype=np.int64), np.array([fen for _, fen in flat], dtype=np.int64),
        hazard, np.arange(len(loans)),
    )  # fmt: skip


def losses(**changes: Any) -> Losses:
    """The shipped parameters of losses with some replaced."""
    return msgspec.structs.replace(LOSSES, **changes)


def staged(found: Exposures, stage: int) -> Exposures:
    """The same, all in one stage."""
    return replace(found, stage=np.full(len(found.balance), stage, dtype=np.int8))
