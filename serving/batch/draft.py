"""The file in which answers gather until all are there; a killed run's is taken over by the next one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from features.errors import Conflict


class BeingAnswered(Conflict):
    """Another run that writes the same answers."""

    def __init__(self, out: Path) -> None:
        super().__init__(
            "another run is writing these answers.",
            place=str(out),
            remedy="Wait for it, or give --out another name.",
        )


@contextmanager
def draft_of(out: Path) -> Iterator[BinaryIO]:
    """An empty hidden file beside ``out``, which takes its place at the end; nothing is left if it does not get there.

    A run that was killed leaves its draft: there is one name for it, under a lock that ends with its process, so that
    the next run takes it over and none pile up.

    Raises:
        BeingAnswered: another run holds it.
    """
    draft = out.with_name(f".{out.name}.draft")
    with draft.open("ab") as target:
        _hold(target, draft, out)
        try:
            target.truncate(0)
            yield target
            target.flush()
            os.fsync(target.fileno())
            draft.replace(out)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _hold(target: BinaryIO, draft: Path, out: Path) -> None:
    """Lock a draft that is still the one of its name: another run may have finished since it was opened."""
    try:
        fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.path.samestat(os.fstat(target.fileno()), draft.stat())
    except (BlockingIOError, FileNotFoundError):
        held = False
    if not held:
        raise BeingAnswered(out)
