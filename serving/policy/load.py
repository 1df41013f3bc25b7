"""A policy document read and checked as a whole: what cannot be told or decided is refused here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from features.calendar import instant
from features.canonical import canonical_bytes, digest
from features.contracts.load import read_yaml
from features.errors import Integrity, Invalid
from serving.policy.facts import CONSENT, NUMBERS, TEXTS, is_text
from serving.policy.model import (
    EFFECTS,
    Cap,
    Condition,
    Operator,
    Outcome,
    PolicyDocument,
    Rule,
)

GRADES = 10
CITY = Path(__file__).parent / "city.yaml"
"""The policy that Yidai ships for its sample city."""

_LIMIT_REASONS = frozenset({"income", "unverified", "grade", "cap", "too_small"})
_CHINESE = re.compile(r"[一-鿿]")
_LATIN = re.compile(r"[A-Za-z]{2}")
_VAGUE = re.compile(
    r"内部(标准|政策|规定|制度)|(综合)?评分(不足|未达|不达标|过低)|综合评估(未通过|不通过)|不符合(我行)?要求"
    r"|internal (standard|polic|criteri)|(qualifying|minimum|required|insufficient|low) (credit )?score"
    r"|score (is |was )?(too low|insufficient)|does not meet (our|the) (requirement|criteri|standard)",
    re.IGNORECASE,
)


class BrokenPolicy(Invalid):
    """A policy that may not be used, with the place and what to mend."""

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, place=f"policy: {place}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Policy:
    """A checked policy; ``rules`` are those of all gates in order."""

    document: PolicyDocument
    data: bytes
    digest: str
    rules: tuple[Rule, ...]

    @property
    def facts(self) -> frozenset[str]:
        """Every name that a rule or the limit asks for."""
        asked = {condition.fact for rule in self.rules for condition in rule.when.conditions}
        return frozenset(asked | {self.document.limits.income})


def policy_from_yaml(path: Path) -> Policy:
    """A policy written by a person.

    Raises:
        BrokenDocument: not YAML, or not of that shape.
        BrokenPolicy: it may not be used.
    """
    document = read_yaml(path, PolicyDocument)
    return _checked(document, canonical_bytes(document))


def load_policy(data: bytes) -> Policy:
    """The policy in these canonical bytes.

    Raises:
        Integrity: not canonical, or not a policy.
        BrokenPolicy: it may not be used.
    """
    try:
        document = msgspec.json.decode(data, type=PolicyDocument)
        canonical = canonical_bytes(msgspec.json.decode(data))
    except msgspec.DecodeError as error:
        raise Integrity(f"the policy cannot be read: {error}.") from error
    if canonical != data:
        raise Integrity(
            "the policy is not in canonical form.", remedy="Submit it with the command from its YAML."
        )
    return _checked(document, data)


def check_against(policy: Policy, features: Iterable[str]) -> None:
    """Every fact of the policy exists.

    Raises:
        BrokenPolicy: a rule asks for a feature that the definitions do not have.
    """
    known = set(features) | NUMBERS | TEXTS
    for name in sorted(policy.facts):
        if name not in known and not name.startswith(CONSENT):
            raise BrokenPolicy(
                name, f"no definition gives the feature {name!r}.", "Define it, or take the rule out."
            )


def cap_at(caps: tuple[Cap, ...], moment: int) -> Cap:
    """The lowest cap that holds at a moment.

    Raises:
        BrokenPolicy: none holds.
    """
    valid = [c for c in caps if instant(c.since) <= moment and (not c.to or moment < instant(c.to))]
    if not valid:
        raise BrokenPolicy("caps", "no cap holds at this moment.", "Approve a policy with a cap for today.")
    return min(valid, key=lambda cap: cap.value)


def _checked(document: PolicyDocument, data: bytes) -> Policy:
    if document.schema != 1:
        raise BrokenPolicy("schema", f"schema {document.schema} is not known.", "Write schema: 1.")
    rules = tuple(rule for gate in document.gates for rule in gate.rules)
    _check_unique("rule id", [rule.id for rule in rules])
    _check_unique("gate id", [gate.id for gate in document.gates])
    for rule in rules:
        _check_rule(rule)
    _check_grades(document)
    _check_limits(document)
    _check_text("score_reason", document.score_reason.zh, document.score_reason.en, vague=False)
    _check_withheld(document)
    if document.pd_model in document.challengers:
        raise BrokenPolicy("challengers", "the model that decides cannot be its own challenger.")
    return Policy(document, data, digest(data), rules)


def _check_rule(rule: Rule) -> None:
    if rule.effect not in {"refer", "decline"}:
        raise BrokenPolicy(rule.id, f"effect {rule.effect!r} is not refer or decline.")
    if bool(rule.when.all) == bool(rule.when.any):
        raise BrokenPolicy(rule.id, "`when` needs exactly one of `all` and `any`, with conditions.")
    for kind in ("no_record", "source_down", "not_authorised"):
        if getattr(rule.missing, kind) not in EFFECTS:
            raise BrokenPolicy(rule.id, f"missing.{kind} is not pass, refer or decline.")
    for condition in rule.when.conditions:
        _check_condition(rule.id, condition)
    _check_text(rule.id, rule.zh, rule.en)


def _check_condition(place: str, condition: Condition) -> None:
    plural = condition.op in {Operator.IN, Operator.NOT_IN}
    values = condition.value if plural else [condition.value]
    if not isinstance(values, (list, tuple)) or not values:
        raise BrokenPolicy(place, f"{condition.fact} {condition.op.value} needs a list of values.")
    text = is_text(condition.fact)
    if text and condition.op not in {Operator.IN, Operator.NOT_IN, Operator.EQ, Operator.NE}:
        raise BrokenPolicy(place, f"{condition.fact} is a text: it has no {condition.op.value}.")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str if text else (int, float)):
            raise BrokenPolicy(place, f"{condition.fact} is compared with {'texts' if text else 'numbers'}.")


def _check_grades(document: PolicyDocument) -> None:
    covered = [g for band in document.grades for g in range(band.first, band.last + 1)]
    _check_cover(covered)
    rates = [band.rate_ppm for band in sorted(document.grades, key=lambda band: band.first)]
    if rates != sorted(rates):
        raise BrokenPolicy("grades", "a worse grade may not pay less than a better one.", "Order rate_ppm.")
    for band in document.grades:
        if band.outcome is Outcome.APPROVE and min(band.max_limit_fen, band.inflow_share_ppm) <= 0:
            raise BrokenPolicy(
                f"grades {band.first}-{band.last}", "an approved grade needs a limit above zero."
            )


def _check_cover(covered: list[int]) -> None:
    twice = sorted({grade for grade in covered if covered.count(grade) > 1})
    if twice:
        raise BrokenPolicy("grades", f"grade {twice[0]} stands in two bands.", "Let the bands not overlap.")
    lacking = sorted(set(range(1, GRADES + 1)) - set(covered))
    if lacking:
        raise BrokenPolicy("grades", f"grade {lacking[0]} stands in no band.", f"Cover 1 to {GRADES}.")
    if len(covered) != GRADES:
        raise BrokenPolicy("grades", f"grade {max(covered)} is not on the master scale of {GRADES}.")


def _check_limits(document: PolicyDocument) -> None:
    limits = document.limits
    lacking = sorted(_LIMIT_REASONS - limits.reasons.keys())
    if lacking:
        raise BrokenPolicy("limits.reasons", f"there is no text for {lacking[0]!r}.", "Add it, in zh and en.")
    for name, reason in limits.reasons.items():
        _check_text(f"limits.reasons.{name}", reason.zh, reason.en)
    if limits.step_fen <= 0 or limits.min_limit_fen < 0:
        raise BrokenPolicy("limits", "step_fen is above zero and min_limit_fen not below it.")
    for name, caps in (("limits.caps", limits.caps), ("rate_caps", document.rate_caps)):
        _check_caps(name, caps)


def _check_withheld(document: PolicyDocument) -> None:
    rule = document.withheld
    if rule is None:
        return
    _check_text("withheld.reason", rule.reason.zh, rule.reason.en)
    if rule.max_pd_high is not None and not 0 < rule.max_pd_high < 1:
        raise BrokenPolicy("withheld", "max_pd_high is not between 0 and 1.", "Write a PD, such as 0.2.")


def _check_caps(place: str, caps: tuple[Cap, ...]) -> None:
    if not caps:
        raise BrokenPolicy(place, "there is no cap.", "Name at least one with its source and dates.")
    for cap in caps:
        if cap.to and instant(cap.to) <= instant(cap.since):
            raise BrokenPolicy(f"{place}: {cap.id}", "it ends before it begins.")


def _check_text(place: str, zh: str, en: str, *, vague: bool = True) -> None:
    if not _CHINESE.search(zh):
        raise BrokenPolicy(place, "the Chinese text is missing.", "Write `zh`.")
    if not _LATIN.search(en) or _CHINESE.search(en):
        raise BrokenPolicy(place, "the English text is missing.", "Write `en`.")
    found = _VAGUE.search(zh) or _VAGUE.search(en)
    if vague and found:
        problem = f"{found.group(0)!r} tells an applicant nothing (REG-AA-02)."
        raise BrokenPolicy(place, problem, "Name the fact that counts.")


def _check_unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            _twice(what, name)


def _twice(what: str, name: str) -> NoReturn:
    raise BrokenPolicy(name, f"the {what} stands twice.", "Rename one.")
