"""What provisions are, and how they came from those of a month before: whole fen that add up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from serving.classes.document import BAD, STAGES, RiskClass


class Provided(msgspec.Struct, frozen=True):
    """A loan at a month's end: its class and stage, fen of balance and of expected loss. ``left`` says how it went off the
    book in that month (``written_off``, ``repaid``), which leaves nothing of it.
    """

    loan: str
    risk_class: RiskClass
    stage: int
    balance_fen: int
    ecl_fen: int
    left: str = ""


class Sum(msgspec.Struct, frozen=True):
    """Loans of a class or stage; ``coverage`` is expected loss over balance, None of no balance."""

    name: str
    loans: int
    balance_fen: int
    ecl_fen: int
    coverage: float | None


class Movement(msgspec.Struct, frozen=True):
    """Expected loss of a stage from one month to the next, fen:
    ``opening + new + moved_in + moved_out + remeasured + written_off + repaid = closing``.
    """

    stage: int
    opening: int
    new: int
    moved_in: int
    moved_out: int
    remeasured: int
    written_off: int
    repaid: int
    closing: int


class Provisions(msgspec.Struct, frozen=True):
    """A month: by class, by stage, what came from the month before (nothing where that was not looked at), unconfirmed
    classes; ``npl_coverage`` is all expected loss over non-performing balance.
    """

    month: str
    before: str | None
    classes: tuple[Sum, ...]
    stages: tuple[Sum, ...]
    total: Sum
    npl_ratio: float | None
    npl_coverage: float | None
    movement: tuple[Movement, ...]
    unconfirmed: int


def provisions(
    month: str, now: Sequence[Provided], before: str | None, then: Iterable[Provided], unconfirmed: int
) -> Provisions:
    """The summary of a month."""
    here = [each for each in now if not each.left]
    by_class = tuple(summed(name, [e for e in here if e.risk_class is name]) for name in RiskClass)
    by_stage = tuple(summed(str(stage), [e for e in here if e.stage == stage]) for stage in STAGES)
    total = summed("all", here)
    bad = sum(e.balance_fen for e in here if e.risk_class.rank >= BAD)
    moved = tuple(movement(now, then)) if before else ()
    return Provisions(
        month, before, by_class, by_stage, total, _over(bad, total.balance_fen), _over(total.ecl_fen, bad), moved,
        unconfirmed,
    )  # fmt: skip


def summed(name: str, loans: Sequence[Provided]) -> Sum:
    """What loans add to."""
    balance, ecl = sum(e.balance_fen for e in loans), sum(e.ecl_fen for e in loans)
    return Sum(name, len(loans), balance, ecl, _over(ecl, balance))


def _over(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def movement(now: Sequence[Provided], then: Iterable[Provided]) -> list[Movement]:
    """Stage by stage. A loan that is not told any more counts as repaid."""
    old = {each.loan: each for each in then if not each.left}
    new = {each.loan: each for each in now}
    found = {stage: dict.fromkeys(_PARTS, 0) for stage in STAGES}
    for loan, was in old.items():
        found[was.stage]["opening"] += was.ecl_fen
        _moved(found, was, new.get(loan))
    for loan, each in new.items():
        if each.left:
            continue
        found[each.stage]["closing"] += each.ecl_fen
        found[each.stage]["new"] += 0 if loan in old else each.ecl_fen
    return [Movement(stage, **parts) for stage, parts in found.items()]


_PARTS = ("opening", "new", "moved_in", "moved_out", "remeasured", "written_off", "repaid", "closing")


def _moved(found: Mapping[int, dict[str, int]], was: Provided, now: Provided | None) -> None:
    """Where the expected loss of a loan that was there went: it moves as it was, then it is measured anew."""
    if now is None or now.left:
        gone = "written_off" if now is not None and now.left == "written_off" else "repaid"
        found[was.stage][gone] -= was.ecl_fen
        return
    if now.stage != was.stage:
        found[was.stage]["moved_out"] -= was.ecl_fen
        found[now.stage]["moved_in"] += was.ecl_fen
    found[now.stage]["remeasured"] += now.ecl_fen - was.ecl_fen
