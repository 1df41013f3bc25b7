"""The book in the plainest Python there is: day by day, fen by fen, nothing shared with the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from features.loans.model import Event, Loan

PARTS = ("fee", "interest", "principal")
ORDER = ["drawdown", "fee", "extension", "restructuring", "payment", "charge_off", "recovery"]


def day(moment: int) -> int:
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment, hours=8)
    return (local.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days


@dataclass
class Owed:
    plan: int
    due_day: int
    due: dict[str, int]
    paid: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    missed: bool = False

    def left(self, part: str) -> int:
        return self.due[part] - self.paid[part]

    def all_left(self) -> int:
        return sum(self.left(part) for part in PARTS)


class PlainBook:
    """Lives through each day: at its end, what was due on it and is not paid was missed."""

    def __init__(self, loan: Loan, events: list[Event], as_of: int) -> None:
        self.loan, self.rows, self.refused, self.surplus = loan, [], [], 0
        self.drawn, self.plans, self.gone, self.recovered, self.first = 0, 0, None, 0, None
        known = [one for one in events if one.known_from <= as_of < one.known_to and one.at <= as_of]
        seen: set[str] = set()
        todo = []
        for one in sorted(known, key=lambda one: one.known_from):
            if one.id in seen:
                self.refused.append((one.id, "twice"))
            else:
                todo.append(one)
            seen.add(one.id)
        todo.sort(key=lambda one: (one.at, ORDER.index(one.kind), one.id))
        start = min([loan.granted_at, *(one.at for one in todo)])
        for today in range(day(start), day(as_of) + 1):
            for row in self.rows:
                row.missed |= row.due_day == today - 1 and row.all_left() > 0
            for one in [one for one in todo if day(one.at) == today]:
                why = self.why_not(one, today)
                if why:
                    self.refused.append((one.id, why))
                else:
                    self.live(one, today)
        self.today = day(as_of)

    def why_not(self, one: Event, today: int) -> str:
        open_fen = sum(row.all_left() for row in self.rows)
        if one.at < self.loan.granted_at:
            return "before_grant"
        if one.currency != self.loan.currency:
            return "other_currency"
        if one.amount_fen < 0 or (
            one.amount_fen == 0 and one.kind in {"drawdown", "fee", "payment", "recovery"}
        ):
            return "no_amount"
        if one.days < 0 or (one.kind == "extension" and one.days == 0):
            return "no_days"
        if self.gone is not None and one.kind not in {"fee", "recovery"}:
            return "charged_off"
        if one.kind == "recovery" and self.gone is None:
            return "not_charged_off"
        if one.kind == "drawdown":
            if self.drawn + one.amount_fen > self.loan.limit_fen:
                return "over_limit"
            return "" if self.adds_up(one, one.amount_fen, today) else "does_not_add_up"
        if one.kind == "fee" and self.drawn == 0 and self.gone is None:
            return ""
        if open_fen == 0:
            return "closed" if self.drawn or self.gone is not None else "nothing_drawn"
        if one.kind == "restructuring":
            principal = sum(row.left("principal") for row in self.rows)
            return "" if self.adds_up(one, principal, today) else "does_not_add_up"
        if one.kind == "extension" and not self.ahead(today):
            return "nothing_to_extend"
        return ""

    def adds_up(self, one: Event, amount: int, today: int) -> bool:
        total, last = 0, today - 1
        for line in one.schedule:
            if line.due_day <= last or min(line.principal_fen, line.interest_fen, line.fee_fen) < 0:
                return False
            total, last = total + line.principal_fen, line.due_day
        return bool(one.schedule) and total == amount and one.schedule[-1].principal_fen > 0

    def ahead(self, today: int) -> list[Owed]:
        return [
            row
            for row in self.rows
            if row.due_day >= today and row.left("interest") + row.left("principal") > 0
        ]

    def live(self, one: Event, today: int) -> None:
        getattr(self, one.kind)(one, today)
        self.rows.sort(key=lambda row: (row.due_day, row.plan))

    def ask(self, schedule, _today: int) -> None:
        self.plans += 1
        for line in schedule:
            due = {"fee": line.fee_fen, "interest": line.interest_fen, "principal": line.principal_fen}
            self.rows.append(Owed(self.plans, line.due_day, due))

    def drawdown(self, one: Event, today: int) -> None:
        self.ask(one.schedule, today)
        if not self.drawn:
            self.first = self.rows[-len(one.schedule)]
        self.drawn += one.amount_fen

    def fee(self, one: Event, today: int) -> None:
        self.plans += 1
        self.rows.append(
            Owed(self.plans, today + one.days, {"fee": one.amount_fen, "interest": 0, "principal": 0})
        )

    def extension(self, one: Event, today: int) -> None:
        ahead = self.ahead(today)
        ahead[0].due["interest"] += one.amount_fen
        for row in ahead:
            row.due_day += one.days

    def restructuring(self, one: Event, today: int) -> None:
        for row in self.rows:
            row.due["interest"], row.due["principal"] = row.paid["interest"], row.paid["principal"]
        self.ask(one.schedule, today)

    def charge_off(self, _one: Event, _today: int) -> None:
        self.gone = sum(row.left("principal") for row in self.rows)

    def recovery(self, one: Event, today: int) -> None:
        self.payment(one, today)
        self.recovered += one.amount_fen

    def payment(self, one: Event, today: int) -> None:
        nearest = min((row.due_day for row in self.rows if row.due_day >= today), default=today)
        before = self.interest_base(nearest)
        for _ in range(one.amount_fen):
            self.one_fen(today, nearest)
        after = self.interest_base(nearest)
        for place, base in before.items():
            if base and base != after[place]:
                row = self.rows[place]
                exact = Fraction(row.left("interest") * after[place], base)
                row.due["interest"] = row.paid["interest"] + int(exact + Fraction(1, 2))

    def interest_base(self, nearest: int) -> dict[int, int]:
        return {
            place: sum(other.left("principal") for other in self.rows[place:] if other.plan == row.plan)
            for place, row in enumerate(self.rows) if row.due_day > nearest
        }  # fmt: skip

    def one_fen(self, today: int, nearest: int) -> None:
        """The next fen goes to the first open part in the stated order."""
        overdue = [row for row in self.rows if row.due_day < today]
        current = [row for row in self.rows if row.due_day == nearest]
        later = [row for row in self.rows if row.due_day > nearest]
        steps = [(self.rows, "fee"), (overdue, "interest"), (overdue, "principal"), (current, "interest"),
                 (current, "principal"), (later[::-1], "principal")]  # fmt: skip
        for rows, part in steps:
            for row in rows:
                if row.left(part):
                    row.paid[part] += 1
                    return
        self.surplus += 1

    def figures(self) -> dict[str, object]:
        late = [row for row in self.rows if row.due_day < self.today and row.all_left() > 0]
        overdue = [row for row in self.rows if row.due_day < self.today]
        owed = {part: sum(row.left(part) for row in self.rows) for part in PARTS}
        return {
            "due": [sum(row.due[part] for row in self.rows) for part in PARTS],
            "paid": [sum(row.paid[part] for row in self.rows) for part in PARTS],
            "owed": list(owed.values()),
            "overdue": [sum(row.left(part) for row in overdue) for part in PARTS],
            "surplus": self.surplus, "balance": 0 if self.gone is not None else owed["principal"],
            "charged_off": self.gone or 0, "recovered": self.recovered,
            "dpd": max((self.today - row.due_day for row in late), default=0),
            "times_late": sum(row.missed for row in self.rows),
            "first_payment_default": self.first is not None and self.first.missed,
            "refused": sorted(self.refused),
        }  # fmt: skip
