"""What is wrong with a document of classes: gaps, order, contradictions, each with its place and what to mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from features.calendar import instant
from features.errors import Invalid
from serving.classes.document import (
    CLASSES,
    FACTS,
    SCHEMA,
    STAGES,
    WHOLE,
    ClassesDocument,
    ClassRule,
    Dated,
    Losses,
    Recovery,
    Rule,
    Segment,
    StageRule,
    effective,
)
from serving.policy.findings import Finding, error
from serving.watch.document import Name, Operator, is_plain, placeholders
from serving.watch.signals import BOOK_VALUES

Ranked = ClassRule | StageRule
_PRIOR_FACTS = {"class_rank"}
"""What the classes themselves may not ask: it follows from them."""


def findings(document: ClassesDocument, features: Iterable[str] | None = None) -> list[Finding]:
    """All that is wrong; names are looked up only where ``features`` are given."""
    if document.schema != SCHEMA:
        return [_wrong("schema", f"schema {document.schema} is not known.", f"Write schema: {SCHEMA}.")]
    found = [one for rule in (*document.classes, *document.stages) for one in _of_rule(rule)]
    found += _versions("classes", document.classes)
    found += _versions("stages", document.stages)
    found += _whole_time("recovery", document.recovery)
    found += _whole_time("losses", document.losses)
    if found:
        return found
    found += [one for each in document.recovery for one in _of_recovery(each)]
    found += [one for each in document.losses for one in _of_losses(each)]
    found += _ladders(document)
    if features is not None:
        found += _names(document, {*features, *BOOK_VALUES, *FACTS})
    return found


def _wrong(place: str, problem: str, remedy: str) -> Finding:
    return error("classes", place, problem, remedy)


def _of_rule(rule: Rule) -> Iterator[Finding]:
    if not (rule.all or rule.any) or not all(clause.all for clause in rule.any):
        yield _wrong(rule.code, "a rule without conditions would hit every loan.", "Add a condition.")
    if not rule.rule.startswith("REG-"):
        yield _wrong(rule.code, f"{rule.rule!r} is no id of a rule.", "Write one such as REG-RC-02.")
    if not all(is_plain(text) for text in (rule.evidence.zh, rule.evidence.en)):
        yield _wrong(rule.code, "its evidence cannot be filled in.", "Write values as {name}, in both languages.")  # fmt: skip
    if isinstance(rule, StageRule) and rule.stage not in STAGES[1:]:
        yield _wrong(rule.code, f"no rule leads to stage {rule.stage}.", "Write 2 or 3.")
    if isinstance(rule, ClassRule) and not rule.rank:
        yield _wrong(rule.code, "every loan is at least normal.", "Name the class that it leads to.")
    if isinstance(rule, ClassRule) and _PRIOR_FACTS & {Name.parse(n).base for n in rule.signal.features}:
        yield _wrong(rule.code, "a class cannot follow from itself.", "Ask for what leads to it.")


def _versions(place: str, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Rules of one code follow each other without a day between."""
    for code in dict.fromkeys(rule.code for rule in rules):
        own = [rule for rule in rules if rule.code == code]
        yield from _follow(f"{place} {code}", own)


def _follow(place: str, dated: Sequence[Dated]) -> Iterator[Finding]:
    if not all(_are_dates(each) for each in dated):
        yield _wrong(place, "its dates are none, or end before they begin.", "Write them as 2026-01-31.")
        return
    for before, after in pairwise(sorted(dated, key=lambda each: each.effective_from)):
        if not before.effective_to or before.effective_to > after.effective_from:
            yield _wrong(place, "two of it hold on one day.", "Let one end before the other begins.")
        elif before.effective_to < after.effective_from:
            problem = f"from {before.effective_to} to {after.effective_from} none of it holds."
            yield _wrong(place, problem, f"Let the later one begin on {before.effective_to}.")


def _are_dates(one: Dated) -> bool:
    try:
        moments = [instant(each) for each in (one.effective_from, one.effective_to) if each]
    except Invalid:
        return False
    short = all(len(each) in {0, 10} for each in (one.effective_from, one.effective_to))
    return short and (len(moments) < 2 or moments[0] < moments[1])


def _whole_time(place: str, dated: Sequence[Recovery] | Sequence[Losses]) -> Iterator[Finding]:
    """One of them holds on every day."""
    yield from _follow(place, dated)
    if not dated:
        yield _wrong(place, "there is none.", "Add one.")
    elif all(each.effective_from for each in dated) or all(each.effective_to for each in dated):
        problem = "before the first or after the last of it nothing holds."
        yield _wrong(place, problem, "Leave the first without effective_from and the last without effective_to.")  # fmt: skip


def _of_recovery(one: Recovery) -> Iterator[Finding]:
    names = ("upgrade_months", "upgrade_periods", "restructured_months", "restructured_periods", "stage_3_months", "stage_2_months")  # fmt: skip
    for name in names:
        if getattr(one, name) < 0:
            yield _wrong(f"recovery {name}", "it is negative.", "Write 0 or more.")
    for name in ("upgrade_rule", "restructured_rule", "stage_rule"):
        if not getattr(one, name).startswith("REG-"):
            yield _wrong(f"recovery {name}", "it is no id of a rule.", "Write one such as REG-RC-07.")


def _of_losses(one: Losses) -> Iterator[Finding]:
    place = f"losses from {one.effective_from or 'the beginning'}"
    total = sum(each.weight_ppm for each in one.scenarios)
    if total != WHOLE:
        yield _wrong(place, f"its weights add to {total} ppm.", f"Let them add to {WHOLE}.")
    if any(min(s.weight_ppm, s.pd_times_ppm, s.lgd_times_ppm) <= 0 for s in one.scenarios):
        yield _wrong(place, "a scenario weighs or multiplies by nothing.", "Write more than 0, or leave it out.")  # fmt: skip
    yield from _twice(place, [*(each.code for each in one.scenarios), *(each.code for each in one.segments)])
    by_code = {each.code: each for each in one.scenarios}
    if {"up", "down"} <= by_code.keys() and by_code["up"].pd_times_ppm > by_code["down"].pd_times_ppm:
        yield _wrong(place, "more loans default in the scenario up than in down.", "Exchange them.")
    if not 0 <= one.pd_floor_ppm < WHOLE or not 0 <= one.discount_ppm <= WHOLE or one.roll_months < 1:
        yield _wrong(place, "a floor, rate or number of months is out of bounds.", "Write shares as ppm from 0 to 1000000 and at least one month.")  # fmt: skip
    if not one.segments or one.segments[-1].all:
        yield _wrong(place, "some loan would have no segment.", "Let the last have no conditions.")
    for segment in one.segments:
        yield from _of_segment(place, segment)


def _of_segment(place: str, segment: Segment) -> Iterator[Finding]:
    days, shares = [band.from_dpd for band in segment.lgd], [band.share_ppm for band in segment.lgd]
    where = f"{place}, {segment.code}"
    if not days or days[0] != 0 or days != sorted(set(days)):
        yield _wrong(where, "its bands do not ascend from 0 days past due.", "Begin with from_dpd: 0 and sort.")  # fmt: skip
    if shares != sorted(shares) or not all(0 <= share <= WHOLE for share in shares):
        yield _wrong(where, "a later band loses less, or a share is none.", "Let shares rise, at most to 1000000.")  # fmt: skip


def _twice(place: str, codes: Sequence[str]) -> Iterator[Finding]:
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield _wrong(place, f"{code!r} stands twice.", "Rename one.")


def _ladders(document: ClassesDocument) -> Iterator[Finding]:
    """On every day on which something changes: each class and stage has a limit in days, and worse ones a larger."""
    dated: list[Ranked] = [*document.classes, *document.stages]
    days = sorted({"1970-01-02", *(each for rule in dated for each in (rule.effective_from, rule.effective_to) if each)})  # fmt: skip
    for day in days:
        at = instant(day)
        yield from _ladder(f"classes on {day}", range(1, len(CLASSES)), effective(document.classes, at))
        yield from _ladder(f"stages on {day}", STAGES[1:], effective(document.stages, at))


def _ladder(place: str, ranks: Sequence[int], rules: Sequence[Ranked]) -> Iterator[Finding]:
    limits = {rule.rank: limit for rule in rules if (limit := dpd_limit(rule)) is not None}
    missing = [rank for rank in ranks if rank not in limits]
    if missing:
        yield _wrong(place, f"no rule of days past due leads to rank {missing[0]}.", "Add one.")
    values = [limits[rank] for rank in ranks if rank in limits]
    if values != sorted(set(values)):
        yield _wrong(place, "the limits in days do not rise with the rank.", "Sort them.")


def dpd_limit(rule: Rule) -> float | None:
    """The most days past due at which a rule of days alone does not hit; None for other rules."""
    if rule.any or len(rule.all) != 1 or rule.all[0].reads != ("dpd",):
        return None
    (one,) = rule.all
    return {Operator.GT: one.value, Operator.GE: one.value - 1}.get(one.op)


def _names(document: ClassesDocument, known: set[str]) -> Iterator[Finding]:
    for name in document.names:
        if Name.parse(name).base not in known:
            who = [r.code for r in (*document.classes, *document.stages) if name in {*r.signal.features, *placeholders(r.evidence)}]  # fmt: skip
            yield _wrong(who[0] if who else "losses", f"there is no value {name!r}.", "Check the feature catalogue.")  # fmt: skip
