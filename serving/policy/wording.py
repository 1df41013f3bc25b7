"""Whether what a policy says is said in both languages, and tells an applicant something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from features.contracts.model import Text
from serving.policy.findings import Finding, error
from serving.policy.lending import LimitPolicy
from serving.policy.model import PolicyDocument

LIMIT_REASONS = frozenset({"income", "unverified", "grade", "cap", "too_small"})
_CHINESE = re.compile(r"[一-鿿]")
_LATIN = re.compile(r"[A-Za-z]{2}")
VAGUE = re.compile(
    r"内部(标准|政策|规定|制度)|(综合)?评分(不足|未达|不达标|过低)|综合评估(未通过|不通过)|不符合(我行)?要求"
    r"|internal (standard|polic|criteri)|(qualifying|minimum|required|insufficient|low) (credit )?score"
    r"|score (is |was )?(too low|insufficient)|does not meet (our|the) (requirement|criteri|standard)",
    re.IGNORECASE,
)
"""Words that tell an applicant nothing (REG-AA-02)."""


def wording(document: PolicyDocument) -> Iterator[Finding]:
    """Texts that are missing or tell nothing."""
    yield from _text("title", document.title.zh, document.title.en)
    for part in ("products", "purposes", "regions", "disclosure"):
        texts: Mapping[str, Text] = getattr(document, part)
        for name, text in texts.items():
            yield from _text(f"{part}.{name}", text.zh, text.en)
    for gate in document.gates:
        yield from _text(f"gate {gate.id}", gate.title.zh, gate.title.en)
        for rule in gate.rules:
            yield from _told(rule.id, rule.zh, rule.en)
            if rule.unknown is not None:
                yield from _told(f"{rule.id} unknown", rule.unknown.zh, rule.unknown.en)
    for segment in document.segments:
        yield from _text(f"segment {segment.id}", segment.zh, segment.en)
    yield from _reasons(document)


def _reasons(document: PolicyDocument) -> Iterator[Finding]:
    if document.limits is not None:
        for name in sorted(_limit_reasons(document, document.limits) - document.limits.reasons.keys()):
            problem = f"there is no text for {name!r}."
            yield error("text_missing", "limits.reasons", problem, "Add it, in zh and en.")
        for name, reason in document.limits.reasons.items():
            yield from _told(f"limits.reasons.{name}", reason.zh, reason.en)
    if document.score_reason is not None:
        yield from _told("score_reason", document.score_reason.zh, document.score_reason.en)
    if document.withheld is not None:
        yield from _told("withheld.reason", document.withheld.reason.zh, document.withheld.reason.en)


def _limit_reasons(document: PolicyDocument, limits: LimitPolicy) -> set[str]:
    """The names of all that can lower a limit under this policy."""
    asked = {*LIMIT_REASONS, *(support.id for support in limits.supports)}
    if limits.debt_service is not None:
        asked.add("debt_service")
    if document.tables is not None and document.tables.exposure_caps:
        asked.add("exposure")
    return asked


def _text(place: str, zh: str, en: str) -> Iterator[Finding]:
    if not _CHINESE.search(zh):
        yield error("text_missing", place, "the Chinese text is missing.", "Write `zh`.")
    if not _LATIN.search(en) or _CHINESE.search(en):
        yield error("text_missing", place, "the English text is missing.", "Write `en`.")


def _told(place: str, zh: str, en: str) -> Iterator[Finding]:
    yield from _text(place, zh, en)
    found = VAGUE.search(zh) or VAGUE.search(en)
    if found:
        problem = f"{found.group(0)!r} tells an applicant nothing (REG-AA-02)."
        yield error("vague", place, problem, "Name the fact that counts.")
