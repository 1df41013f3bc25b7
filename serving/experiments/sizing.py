"""How large an experiment must be before its outcomes can tell anything, and how long that takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import msgspec
from scipy.stats import norm

from features.errors import Invalid


class OutOfRange(Invalid):
    """A figure that no experiment can have."""

    def __init__(self, place: str, value: float, wanted: str) -> None:
        super().__init__(f"{value:g} is not {wanted}.", place=place, remedy=f"Give {wanted}.")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be told apart, and at what volume. Rates and shares are parts of one.

    ``base`` is the bad rate, ``factor`` what it may be multiplied by unseen, ``approval`` the share that is approved,
    ``drop`` what of that share (in points) may be lost unseen. ``share`` of the applications go to the challenger;
    ``random_share`` of the refused are approved by chance. ``mature_months`` pass before an outcome is known.
    """

    base: float
    factor: float = 1.25
    approval: float = 0.6
    drop: float = 0.03
    share: float = 0.5
    random_share: float = 0.02
    power: float = 0.8
    level: float = 0.05
    monthly: int = 0
    mature_months: int = 12


class Size(msgspec.Struct, frozen=True):
    """What one question takes: ``first`` and ``second`` observations of the two arms (a random stream has one).

    ``applications`` have to come for that, in ``months``; ``told_after`` months the answer is known, outcomes being
    late. Both are None without a volume.
    """

    question: str
    base: float
    other: float
    first: int
    second: int
    applications: int
    months: float | None
    told_after: float | None


def check(plan: Plan) -> None:
    """Every figure makes sense.

    Raises:
        OutOfRange: one does not.
    """
    for name in ("base", "approval", "share", "random_share", "level"):
        if not 0 < getattr(plan, name) < 1:
            raise OutOfRange(f"--{name.replace('_', '-')}", getattr(plan, name), "a share between 0 and 1")
    if not 0.5 <= plan.power < 1:
        raise OutOfRange("--power", plan.power, "a chance from 0.5 to 1")
    if plan.factor <= 0 or plan.factor == 1 or plan.base * plan.factor >= 1:
        raise OutOfRange("--factor", plan.factor, f"a factor other than 1, and below {1 / plan.base:g}")
    if not 0 < plan.drop < plan.approval:
        raise OutOfRange("--drop", plan.drop, f"a drop between 0 and the approval rate of {plan.approval:g}")
    if plan.monthly < 0:
        raise OutOfRange("--monthly", plan.monthly, "a number of applications")
    if plan.mature_months < 0:
        raise OutOfRange("--mature", plan.mature_months, "a number of months")


def sizes(plan: Plan) -> tuple[Size, ...]:
    """What the three questions take: bad rate of a random stream, bad rates and approval rates of two arms.

    Raises:
        OutOfRange: a figure makes no sense.
    """
    check(plan)
    bad = plan.base * plan.factor
    fewer = plan.approval - plan.drop
    return (
        _stream(plan, one_sample(plan.base, bad, level=plan.level, power=plan.power)),
        _arms(plan, "bad rates of two arms", plan.base, bad, plan.approval, plan.mature_months),
        _arms(plan, "approval rates of two arms", plan.approval, fewer, 1.0, 0),
    )


def one_sample(base: float, other: float, *, level: float, power: float) -> int:
    """Observations that tell a rate ``other`` from a known ``base`` (two-sided ``level``).

    The normal approximation for one proportion (Fleiss, Levin and Paik 2003, section 2.4).
    """
    spread = _quantile(1 - level / 2) * _deviation(base) + _quantile(power) * _deviation(other)
    return ceil((spread / (other - base)) ** 2)


def two_samples(base: float, other: float, share: float, *, level: float, power: float) -> tuple[int, int]:
    """Observations of champion and challenger that tell their rates apart, the challenger having ``share`` of them.

    The normal approximation for two proportions of unequal samples without a correction for continuity (Fleiss, Levin
    and Paik 2003, section 4.4): pooled variance under equality, each arm's own under the difference.
    """
    first, second = 1 - share, share
    pooled = first * base + second * other
    same = _deviation(pooled) * sqrt(1 / first + 1 / second)
    apart = sqrt(_deviation(base) ** 2 / first + _deviation(other) ** 2 / second)
    spread = _quantile(1 - level / 2) * same + _quantile(power) * apart
    together = (spread / (other - base)) ** 2
    return ceil(together * first), ceil(together * second)


def _stream(plan: Plan, needed: int) -> Size:
    reached = (1 - plan.approval) * plan.random_share
    applications = ceil(needed / reached)
    return _size(
        plan,
        "bad rate of a random stream",
        (plan.base, plan.base * plan.factor),
        (needed, 0),
        applications,
        plan.mature_months,
    )


def _arms(plan: Plan, question: str, base: float, other: float, observed: float, late: int) -> Size:
    """``observed`` is the share of an arm's applications that show what is asked, after ``late`` months."""
    arms = two_samples(base, other, plan.share, level=plan.level, power=plan.power)
    each = arms[0] / (1 - plan.share), arms[1] / plan.share
    return _size(plan, question, (base, other), arms, ceil(max(each) / observed), late)


def _size(
    plan: Plan,
    question: str,
    rates: tuple[float, float],
    arms: tuple[int, int],
    applications: int,
    late: int,
) -> Size:
    months = applications / plan.monthly if plan.monthly else None
    told = None if months is None else months + late
    return Size(question, *rates, *arms, applications, months, told)


def _quantile(chance: float) -> float:
    return float(norm.ppf(chance))


def _deviation(rate: float) -> float:
    return sqrt(rate * (1 - rate))
