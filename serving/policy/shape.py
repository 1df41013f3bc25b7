"""What must be so before a policy can be made ready: words, ranges, dates and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from features.errors import Invalid
from serving.policy.days import end_day, first_day
from serving.policy.facts import NUMBERS, is_text
from serving.policy.findings import Finding, error
from serving.policy.model import (
    EFFECTS,
    GRADES,
    LONGEST_TERM,
    Condition,
    Operator,
    PolicyDocument,
    PolicyKind,
    PriceRow,
    Row,
    Rule,
    Tables,
    When,
)
from serving.policy.terms import NAMES, OPTIONAL, segment_names
from serving.policy.trying import breakers, experiments

_PLURAL = {Operator.IN, Operator.NOT_IN}
_OF_TEXTS = _PLURAL | {Operator.EQ, Operator.NE}
_OF_CREDIT = ("tables", "limits", "score_reason", "pd_model", "purposes")


def misshapen(document: PolicyDocument) -> list[Finding]:
    """All that keeps a document from being made ready."""
    found = [*_dates("effective_from", document.effective_from, "")]
    found += _kind(document)
    rules = [rule for gate in document.gates for rule in gate.rules]
    found += _twice("rule id", [rule.id for rule in rules])
    found += _twice("gate id", [gate.id for gate in document.gates])
    found += _twice("segment", list(segment_names(document)))
    for rule in rules:
        found += _rule(document, rule)
    for segment in document.segments:
        found += _when(f"segment {segment.id}", segment.when)
    if document.tables is not None:
        found += _tables(document, document.tables)
    found += [*breakers(document), *experiments(document)]
    for one in document.experiments:
        found += _dates(f"experiments: {one.id}", one.effective_from, one.effective_to)
    if document.pd_model and document.pd_model in document.challengers:
        problem = "the model that decides cannot be its own challenger."
        found.append(error("own_challenger", "challengers", problem, "Take it out."))
    return found


def _kind(document: PolicyDocument) -> Iterator[Finding]:
    credit = document.kind is PolicyKind.CREDIT
    for name in _OF_CREDIT:
        if credit and not getattr(document, name):
            yield error("part_missing", name, "a policy for credit needs it.", f"Write `{name}`.")
    if credit:
        return
    for name in (*_OF_CREDIT, "challengers", "random_approval", "withheld", "experiments"):
        if getattr(document, name):
            problem = "a policy of eligibility has no model, tables or offer."
            yield error("part_foreign", name, problem, f"Take `{name}` out.")
    if not document.products:
        yield error("part_missing", "products", "no product is named.", "Name at least one.")


def _twice(what: str, names: list[str]) -> Iterator[Finding]:
    for name, times in Counter(names).items():
        if times > 1:
            yield error("twice", name, f"the {what} stands twice.", "Rename one.")


def _rule(document: PolicyDocument, rule: Rule) -> Iterator[Finding]:
    if rule.effect not in {"refer", "decline"}:
        problem = f"effect {rule.effect!r} is not refer or decline."
        yield error("word", rule.id, problem, "Write one of the two.")
    for kind in ("no_record", "source_down", "not_authorised"):
        if getattr(rule.missing, kind) not in EFFECTS:
            problem = f"missing.{kind} is not pass, refer or decline."
            yield error("word", rule.id, problem, "Say what becomes of whom the rule cannot tell.")
    yield from _when(rule.id, rule.when)
    yield from _dates(rule.id, rule.effective_from, rule.effective_to)
    if rule.scope is not None:
        yield from _known(rule.id, "product", rule.scope.products, document.products)
        yield from _known(rule.id, "segment", rule.scope.segments, segment_names(document))
        yield from _known(rule.id, "region", rule.scope.regions, document.regions)


def _when(place: str, when: When) -> Iterator[Finding]:
    if bool(when.all) == bool(when.any):
        problem = "`when` needs exactly one of `all` and `any`, with conditions."
        yield error("when", place, problem, "Write one of them.")
    for condition in when.conditions:
        yield from _condition(place, condition)


def _condition(place: str, condition: Condition) -> Iterator[Finding]:
    plural = condition.op in _PLURAL
    if plural != isinstance(condition.value, list | tuple) or condition.value in ([], ()):
        problem = (
            f"{condition.fact} {condition.op.value} needs {'a list of values' if plural else 'one value'}."
        )
        yield error("value", place, problem, "Write it so.")
        return
    values = condition.value if plural else [condition.value]
    texts = [isinstance(value, str) for value in values]
    wanted = "texts" if is_text(condition.fact) else "numbers"
    if not all(_fits(condition.fact, value) for value in values) or len(set(texts)) > 1:
        yield error("value", place, f"{condition.fact} is compared with {wanted}.", f"Write {wanted}.")
    elif any(texts) and condition.op not in _OF_TEXTS:
        problem = f"{condition.fact} is a text: it has no {condition.op.value}."
        yield error("value", place, problem, "Compare it by eq, ne, in or not_in.")


def _fits(fact: str, value: Any) -> bool:
    """A feature may also be a category, whose words are looked at against the definitions."""
    if isinstance(value, bool):
        return False
    if is_text(fact):
        return isinstance(value, str)
    return isinstance(value, int | float) or (
        isinstance(value, str) and "." not in fact and fact not in NUMBERS
    )


def _dates(place: str, first: str, end: str) -> Iterator[Finding]:
    try:
        backwards = first_day(first) >= end_day(end)
    except Invalid as broken:
        yield error("date", place, broken.message, "Write days as 2027-01-31.")
        return
    if backwards:
        yield error("backwards", place, "it ends before it begins.", "Mend effective_from or effective_to.")


def _known(place: str, what: str, named: Iterable[str], known: Iterable[str]) -> Iterator[Finding]:
    there = list(known)
    for name in named:
        if name not in there:
            remedy = f"There are: {', '.join(there) or 'none'}."
            yield error("unknown_name", place, f"there is no {what} {name!r}.", remedy)


def _tables(document: PolicyDocument, tables: Tables) -> Iterator[Finding]:
    for name in (*NAMES, *OPTIONAL):
        rows: tuple[Row, ...] = getattr(tables, name)
        if not rows and name not in OPTIONAL:
            yield error("empty", f"tables.{name}", "there is no row.", "Write at least one.")
        for finding in _twice("row id", [row.id for row in rows]):
            yield error("twice", f"tables.{name}: {finding.place}", finding.problem, finding.remedy)
        for row in rows:
            place = f"tables.{name}: {row.id}"
            yield from _dates(place, row.effective_from, row.effective_to)
            if not row.effective_from:
                yield error("date", place, "it does not say since when.", "Write effective_from.")
            yield from _known(place, "product", row.products, document.products)
            yield from _known(place, "segment", row.segments, segment_names(document))
            yield from _ranges(place, row)


def _ranges(place: str, row: Row) -> Iterator[Finding]:
    grades: tuple[int, int] | None = getattr(row, "grades", None)
    yield from _range(place, "grades", grades, GRADES)
    if isinstance(row, PriceRow):
        yield from _range(place, "terms", row.terms, LONGEST_TERM)


def _range(place: str, what: str, given: tuple[int, int] | None, most: int) -> Iterator[Finding]:
    if given is not None and not 1 <= given[0] <= given[1] <= most:
        problem = f"{what} {list(given)} are not a range within 1 to {most}."
        yield error("range", place, problem, "Write [first, last].")
