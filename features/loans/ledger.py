"""The ledger of one loan: what is due, what is paid of it, and the order in which a payment is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from features.loans.model import Instalment, Parts

FEE, INTEREST, PRINCIPAL = 0, 1, 2


@dataclass(slots=True)
class Line:
    """One due date of one schedule (``group``): fen due and paid by part.

    ``settled_day`` is the day on which nothing of it was owed any more; None until then.
    """

    group: int
    due_day: int
    due: list[int]
    paid: list[int] = field(default_factory=lambda: [0, 0, 0])
    settled_day: int | None = None

    def owed(self, part: int) -> int:
        """Fen of a part that are not paid."""
        return self.due[part] - self.paid[part]

    @property
    def open(self) -> bool:
        """Whether anything of it is owed."""
        return self.due != self.paid

    def late(self, day: int) -> bool:
        """Whether it was not paid in full by the end of its due day."""
        return self.due_day < (day if self.settled_day is None else self.settled_day)


@dataclass(slots=True)
class Ledger:
    """All lines of a loan, by due day."""

    lines: list[Line] = field(default_factory=list)
    groups: int = 0
    surplus: int = 0

    def add(self, schedule: Iterable[Instalment], day: int) -> None:
        """Ask for a schedule from ``day`` on."""
        self.groups += 1
        for one in schedule:
            due = [one.fee_fen, one.interest_fen, one.principal_fen]
            self.lines.append(Line(self.groups, one.due_day, due))
        self.lines.sort(key=lambda line: (line.due_day, line.group))
        self._settle(day)

    def owed(self, part: int) -> int:
        """Fen of a part that are not paid, due or not."""
        return sum(line.owed(part) for line in self.lines)

    def total(self, amount: Callable[[Line, int], int], before: int | None = None) -> Parts:
        """The sum over lines (due before a day) of ``amount(line, part)``, by part."""
        chosen = [line for line in self.lines if before is None or line.due_day < before]
        return Parts(*(sum(amount(line, part) for line in chosen) for part in (FEE, INTEREST, PRINCIPAL)))

    @property
    def open(self) -> bool:
        """Whether anything is owed."""
        return any(line.open for line in self.lines)

    def pay(self, amount: int, day: int) -> None:
        """Spend a payment in the stated order; what nothing is owed for is surplus.

        1 fees, 2 overdue interest, 3 overdue principal, 4 current interest, 5 current principal, each oldest
        first; 6 prepayment of the principal of later lines, the last first. Overdue is what was due before
        ``day``, current what is due on the next due date from ``day`` on.
        """
        nearest = min((line.due_day for line in self.lines if line.due_day >= day), default=day)
        overdue = [line for line in self.lines if line.due_day < day]
        current = [line for line in self.lines if line.due_day == nearest]
        left = _spend(amount, self.lines, FEE)
        for lines in (overdue, current):
            for part in (INTEREST, PRINCIPAL):
                left = _spend(left, lines, part)
        self.surplus += self._prepay(left, [line for line in self.lines if line.due_day > nearest])
        self._settle(day)

    def movable(self, day: int) -> list[Line]:
        """The lines that an extension on ``day`` moves: due from then on, with interest or principal open."""
        return [x for x in self.lines if x.due_day >= day and x.owed(INTEREST) + x.owed(PRINCIPAL)]

    def extend(self, day: int, days: int, interest: int) -> None:
        """Move what is movable on ``day``; the agreed interest is due with the first of it."""
        moved = self.movable(day)
        moved[0].due[INTEREST] += interest
        for line in moved:
            line.due_day += days
        self.lines.sort(key=lambda line: (line.due_day, line.group))

    def restructure(self, schedule: Iterable[Instalment], day: int) -> None:
        """Take back the interest and principal that are open, and ask for the new schedule instead."""
        for line in self.lines:
            line.due[INTEREST:] = line.paid[INTEREST:]
        self.add(schedule, day)

    def _prepay(self, amount: int, later: list[Line]) -> int:
        """Repay the last principal first; interest falls as the balance that it is charged on. Returns the rest."""
        before = _balances(later)
        left = _spend(amount, reversed(later), PRINCIPAL)
        if left == amount:
            return left
        for line, old, new in zip(later, before, _balances(later), strict=True):
            if old:
                kept = (2 * line.owed(INTEREST) * new + old) // (2 * old)
                line.due[INTEREST] = line.paid[INTEREST] + kept
        return left

    def _settle(self, day: int) -> None:
        for line in self.lines:
            if line.settled_day is None and not line.open:
                line.settled_day = day


def _spend(amount: int, lines: Iterable[Line], part: int) -> int:
    """Pay a part of these lines in their order; returns what is left."""
    for line in lines:
        taken = min(amount, line.owed(part))
        line.paid[part] += taken
        amount -= taken
    return amount


def _balances(later: list[Line]) -> list[int]:
    """Of each line, the open principal of its schedule from it on: what its interest is charged on."""
    balance: dict[int, int] = {}
    out = []
    for line in reversed(later):
        balance[line.group] = balance.get(line.group, 0) + line.owed(PRINCIPAL)
        out.append(balance[line.group])
    return out[::-1]
