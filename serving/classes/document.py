"""Rules of classes, stages and losses as data: every limit, month, weight and share, with the day from which it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from features.calendar import local_date
from features.contracts.model import Text
from features.definitions.model import DefinitionFile
from serving.watch.document import (
    Clause,
    Condition,
    Level,
    Operator,
    Signal,
    SignalsDocument,
    Trigger,
    placeholders,
)

SCHEMA = 1
WHOLE = 1_000_000
"""Shares and weights are whole ppm."""
FACTS = (
    "restructured", "restructured_months", "borrower_bad_share", "alert_rank", "class_rank", "stage_rank", "ecl_share",
)  # fmt: skip
"""What the classes themselves know of a loan, beside what signals may read: whether and how many whole months ago it was
restructured; the share of what its borrower owes here that is more than 90 days past due; its gravest open alert (0 none, 1
yellow, 2 orange, 3 red); its class (0 normal to 4 loss) and its stage, where they are told already; expected loss over balance."""


YEAR_PD = "warning_pd_12m"
"""What losses ask of the warning model."""


class RiskClass(StrEnum):
    """The five tiers, the best first; the text is what the store and the API say."""

    NORMAL = "normal"
    SPECIAL_MENTION = "special_mention"
    SUBSTANDARD = "substandard"
    DOUBTFUL = "doubtful"
    LOSS = "loss"

    @property
    def rank(self) -> int:
        """0 is the best."""
        return CLASSES.index(self)

    @property
    def zh(self) -> str:
        """正常, 关注, 次级, 可疑 or 损失."""
        return _NAMES[self.rank]


CLASSES = tuple(RiskClass)
_NAMES = ("正常", "关注", "次级", "可疑", "损失")
BAD = RiskClass.SUBSTANDARD.rank
"""From this rank on a loan is non-performing."""
STAGES = (1, 2, 3)


class Dated(Protocol):
    """What holds from a day until the day before another; an empty text is no bound."""

    @property
    def effective_from(self) -> str: ...
    @property
    def effective_to(self) -> str: ...


_Dated = TypeVar("_Dated", bound=Dated)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Where the conditions hold, a loan's class or stage is at least this; ``rule`` is the regulation's id."""

    code: str
    rule: str
    zh: str
    en: str
    evidence: Text
    all: tuple[Condition, ...] = ()
    any: tuple[Clause, ...] = ()
    effective_from: str = ""
    effective_to: str = ""

    @property
    def signal(self) -> Signal:
        """As the engine of the signals takes it: one level, met or not."""
        level = Trigger(Level.RED, self.all, self.any)
        return Signal(self.code, self.zh, self.en, "bank", (level,), self.evidence)


class ClassRule(Rule, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A rule of the five tiers."""

    at_least: RiskClass

    @property
    def rank(self) -> int:
        """Of the class."""
        return self.at_least.rank


class StageRule(Rule, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A rule of the stages: 2 is a significant increase in credit risk, 3 is impaired."""

    stage: int

    @property
    def rank(self) -> int:
        """The stage."""
        return self.stage


class Recovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a loan goes up again: whole months in which nothing was overdue, and due dates kept in them.

    A non-performing loan needs ``upgrade_*`` for any better class, a restructured one ``restructured_*`` to leave special
    mention; with ``one_tier`` each month's step is one class. ``stage_3_months`` lead from stage 3 to 2, ``stage_2_months``
    from 2 to 1.
    """

    upgrade_rule: str
    upgrade_months: int
    upgrade_periods: int
    one_tier: bool
    restructured_rule: str
    restructured_months: int
    restructured_periods: int
    stage_rule: str
    stage_3_months: int
    stage_2_months: int
    effective_from: str = ""
    effective_to: str = ""


class LgdBand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What share of an exposure is lost, from so many days past due on."""

    from_dpd: int
    share_ppm: int


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Loans that lose alike; a loan belongs to the first segment whose conditions hold, the last has none."""

    code: str
    zh: str
    en: str
    lgd: tuple[LgdBand, ...]
    all: tuple[Condition, ...] = ()

    def lgd_of(self, dpd: int) -> int:
        """Ppm lost at so many days past due."""
        return [band.share_ppm for band in self.lgd if band.from_dpd <= dpd][-1]


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A state of the economy: its weight, and by what PD and LGD are multiplied in it."""

    code: str
    weight_ppm: int
    pd_times_ppm: int
    lgd_times_ppm: int


class Losses(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What expected loss is made of. ``pd_floor_ppm`` is a year's; ``discount_ppm`` is the yearly rate of a loan that does not
    tell its own; ``roll_months`` of the book's past give roll rates.
    """

    rule: str
    segments: tuple[Segment, ...]
    scenarios: tuple[Scenario, ...]
    pd_floor_ppm: int
    discount_ppm: int
    roll_months: int
    effective_from: str = ""
    effective_to: str = ""


class ClassesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One artifact of the registry. ``definitions`` are features that these rules alone read."""

    schema: int
    classes: tuple[ClassRule, ...]
    stages: tuple[StageRule, ...]
    recovery: tuple[Recovery, ...]
    losses: tuple[Losses, ...]
    definitions: tuple[DefinitionFile, ...] = ()

    @property
    def conditions(self) -> list[Condition]:
        """Every condition of a rule or a segment."""
        rules: Sequence[Rule] = (*self.classes, *self.stages)
        within = [c for rule in rules for c in (*rule.all, *(each for one in rule.any for each in one.all))]
        return [*within, *(c for one in self.losses for segment in one.segments for c in segment.all)]

    @property
    def names(self) -> list[str]:
        """Every value that a condition or a sentence of evidence reads."""
        told = [name for rule in (*self.classes, *self.stages) for name in placeholders(rule.evidence)]
        return list(dict.fromkeys([*(name for c in self.conditions for name in c.reads), *told]))

    @property
    def reading(self) -> SignalsDocument:
        """What the watch has to gather for these rules: all that they do not know themselves."""
        wanted = dict.fromkeys([*(name for name in self.names if name not in FACTS), YEAR_PD])
        asked = tuple(Condition(name, Operator.GE, 0.0) for name in wanted)
        one = Signal("reading", "读取", "reading", "bank", (Trigger(Level.RED, asked),), Text("", ""))
        return SignalsDocument(2, (one,), definitions=self.definitions)


def effective(dated: Iterable[_Dated], at: int) -> list[_Dated]:
    """Those that hold on the day of China of a moment."""
    day = local_date(at).isoformat()
    return [d for d in dated if d.effective_from <= day and (not d.effective_to or day < d.effective_to)]
