"""What a policy for loans may not do without: checks that stop an application, disclosures, sources of its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from features.contracts.documents import read_yaml
from serving.policy.days import first_day
from serving.policy.facts import AML, IDENTITY, Aml, Identity
from serving.policy.findings import Finding, error
from serving.policy.model import Condition, Force, Operator, PolicyDocument, PolicyKind, Rule

FILE = Path(__file__).parent / "sources.yaml"
DISCLOSED = ("collection", "complaint", "liability")
"""What a policy says of REG-IL-16; the other four disclosures come from the offer itself."""
_STOPPED = {
    IDENTITY: ("identity_gate", [str(each) for each in Identity if each is not Identity.PASSED]),
    AML: ("aml_gate", [str(each) for each in Aml if each is not Aml.CLEAR]),
}
_WORST = {IDENTITY: str(Identity.FAILED), AML: str(Aml.HIT)}
"""What nobody may decide otherwise."""
_SUSPICION = re.compile(
    r"(?<![a-z])aml|launder|terror|sanction|suspic|suspect|match|list|investigat|police|洗钱|恐怖|制裁|可疑|疑似|名单|命中|调查|公安",
    re.IGNORECASE,
)
_NEVER = re.compile(r"launder|terror|sanction|洗钱|恐怖|制裁", re.IGNORECASE)
"""What no rule and no segment tells, whatever it asks."""
_OWN_TEXT = "house:"
_PASS = "pass"  # noqa: S105 - an effect


class SourcesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sources.yaml``: known rules, and words for what is the bank's own."""

    schema: int
    rules: tuple[str, ...]
    own: dict[str, str]


@cache
def known_sources() -> SourcesDocument:
    """What may be named."""
    return read_yaml(FILE, SourcesDocument)


def required(document: PolicyDocument) -> Iterator[Finding]:
    """What is missing of a policy of today's schema; older ones were approved without it."""
    yield from _sources(document)
    if document.kind is PolicyKind.CREDIT:
        yield from _gates(document)
        yield from _suspicion(document)
        yield from _disclosures(document)


def _gates(document: PolicyDocument) -> Iterator[Finding]:
    """Identity and money laundering are mandatory inputs: what is bad, open or not known passes nowhere."""
    rules = [rule for gate in document.gates for rule in gate.rules if _everywhere(document, rule)]
    for fact, (code, bad) in _STOPPED.items():
        asking = [rule for rule in rules if any(each.fact == fact for each in _alone(rule))]
        missed = [value for value in bad if not any(_strikes(rule, fact, value) for rule in asking)]
        worst = _WORST[fact]
        if worst not in missed and not any(_ends(rule) and _strikes(rule, fact, worst) for rule in asking):
            problem = f"a person may override what stops an application whose {fact} is {worst!r}."
            yield error(code, "gates", problem, "Let one such rule decline, with force: hard.")
        for value in missed:
            problem = f"no rule that holds for everybody stops an application whose {fact} is {value!r}."
            yield error(code, "gates", problem, f"Add a rule: any of {fact} eq {value}, refer or decline.")
        if not missed and not any(_knows(rule) for rule in asking):
            problem = f"an application whose {fact} was not checked passes."
            remedy = f"Let `missing` of the rule refer or decline, for each kind: {asking[0].id}."
            yield error(code, asking[0].id, problem, remedy)


def _suspicion(document: PolicyDocument) -> Iterator[Finding]:
    """Nobody is told that money laundering is suspected, nor that it is where nothing was checked."""
    for rule in (rule for gate in document.gates for rule in gate.rules):
        of_aml = any(each.fact == AML for each in rule.when.conditions)
        told = [rule.code, rule.zh, rule.en]
        told += [] if rule.unknown is None else [rule.unknown.code, rule.unknown.zh, rule.unknown.en]
        words = _SUSPICION if of_aml else _NEVER
        found = next((match.group(0) for match in map(words.search, told) if match), "")
        if found:
            problem = f"{found!r} tells an applicant of a suspicion of money laundering."
            yield error(
                "tipping_off", rule.id, problem, "Say that checks that the law demands are not complete."
            )
        if of_aml and rule.effect == "decline" and (rule.unknown is None or rule.unknown.code == rule.code):
            problem = "who was not checked is told the same as who was found on a list."
            yield error("unknown_told", rule.id, problem, "Write `unknown` with a code and texts of its own.")


def _ends(rule: Rule) -> bool:
    return rule.effect == "decline" and rule.force is Force.HARD


def _everywhere(document: PolicyDocument, rule: Rule) -> bool:
    since = first_day(rule.effective_from) <= first_day(document.effective_from)
    return rule.scope is None and since and not rule.effective_to


def _alone(rule: Rule) -> tuple[Condition, ...]:
    """The conditions each of which strikes by itself."""
    when = rule.when
    return when.any or (when.all if len(when.all) == 1 else ())


def _strikes(rule: Rule, fact: str, value: str) -> bool:
    return any(each.fact == fact and _holds(each, value) for each in _alone(rule))


def _holds(condition: Condition, value: str) -> bool:
    stated = condition.value
    match condition.op:
        case Operator.EQ:
            return bool(stated == value)
        case Operator.NE:
            return bool(stated != value)
        case Operator.IN:
            return value in stated
        case Operator.NOT_IN:
            return value not in stated
    return False


def _knows(rule: Rule) -> bool:
    kinds = rule.missing
    return _PASS not in {kinds.no_record, kinds.source_down, kinds.not_authorised}


def _disclosures(document: PolicyDocument) -> Iterator[Finding]:
    for name in DISCLOSED:
        if name not in document.disclosure:
            problem = "an offer has to disclose it (REG-IL-16)."
            yield error("disclosure_missing", f"disclosure.{name}", problem, "Write it, in zh and en.")


def _sources(document: PolicyDocument) -> Iterator[Finding]:
    named = [(rule.id, rule.source) for gate in document.gates for rule in gate.rules]
    if document.tables is not None:
        for table in ("limit_caps", "rate_caps", "exposure_caps"):
            named += [(f"tables.{table}: {row.id}", row.source) for row in getattr(document.tables, table)]
    for place, source in named:
        if not _known(source):
            problem = f"source {source!r} is no known rule."
            remedy = "Name a rule of serving/policy/sources.yaml, such as REG-IL-04, or `house` for the bank's own."
            yield error("unknown_source", f"{place} source", problem, remedy)


def _known(source: str) -> bool:
    known = known_sources()
    own = source in known.own or (source.startswith(_OWN_TEXT) and bool(source[len(_OWN_TEXT) :].strip()))
    return own or source in known.rules
