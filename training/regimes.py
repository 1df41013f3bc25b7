"""Changes of the world that a report must tell of: what a source said before, it says no longer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import instant
from features.contracts.documents import read_yaml
from features.contracts.model import Text
from training.bundle import Bundle
from training.validation import Interval, auc

SHIPPED = Path(str(files("training") / "regimes.yaml"))


class RegimeChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From ``begins`` on, ``datasets`` are recorded otherwise."""

    id: str
    begins: date
    title: Text
    datasets: tuple[str, ...]


class RegimeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``regimes.yaml``."""

    schema: int
    regimes: tuple[RegimeChange, ...]


class RegimeLine(msgspec.Struct, frozen=True):
    """A model and a change: ``columns`` of it read what changed; rows and AUC on either side of it, of those judged.

    ``flag`` says what to do; it is empty where the model reads nothing that changed.
    """

    id: str
    title: Text
    begins: str
    columns: int
    before: int
    after: int
    auc_before: Interval | None
    auc_after: Interval | None
    flag: str


def load_regimes(path: Path = SHIPPED) -> tuple[RegimeChange, ...]:
    """The changes that are known.

    Raises:
        BrokenDocument: the file breaks its schema.
    """
    return read_yaml(path, RegimeFile).regimes


def regime_lines(
    bundle: Bundle, target: NDArray[np.int8], pd: NDArray[np.float64], time: NDArray[np.int64],
    changes: Sequence[RegimeChange],
) -> tuple[RegimeLine, ...]:  # fmt: skip
    """A line for each change; rows are those judged, ``time`` int64 their as-of instants (µs)."""
    found = []
    for change in changes:
        read = sum(column.dataset.partition("@")[0] in change.datasets for column in bundle.columns)
        later = time >= instant(change.begins.isoformat())
        rows = int((~later).sum()), int(later.sum())
        aucs = _auc(target[~later], pd[~later]), _auc(target[later], pd[later])
        flag = _flag(change, read, rows[1], bundle.created_at)
        begins = change.begins.isoformat()
        found.append(RegimeLine(change.id, change.title, begins, read, *rows, *aucs, flag))
    return tuple(found)


def _auc(target: NDArray[np.int8], pd: NDArray[np.float64]) -> Interval | None:
    return auc(target, pd) if len(target) and 0 < target.sum() < len(target) else None


def _flag(change: RegimeChange, read: int, later: int, created: int) -> str:
    if not read:
        return ""
    name = f"{read} features read {', '.join(change.datasets)}, which the {change.title.en} changed on {change.begins}"
    if created < instant(change.begins.isoformat()):
        return (
            f"{name}; the data end before it: hold a challenger without them ready, and judge anew after it."
        )
    if later:
        return f"{name}; the figures mix both sides: compare with a challenger that does not read them."
    return f"{name}; none of the rows judged is later."
