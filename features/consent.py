"""Whether a purpose may read a category of somebody's records at a moment, and on what ground."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from features.calendar import iso
from features.contracts.model import Contract, Text


class Purpose(StrEnum):
    """What records are read for."""

    CREDIT_ASSESSMENT = "credit_assessment"
    POST_LOAN_MANAGEMENT = "post_loan_management"
    MODEL_DEVELOPMENT = "model_development"
    FAIRNESS_TEST = "fairness_test"
    AUDIT = "audit"
    """Proof that what was decided was decided so."""
    SUBJECT_RIGHTS = "subject_rights"
    """Access, correction, dispute and erasure, as the subject asks."""
    UPKEEP = "upkeep"
    """Who is meant and whose copies must follow: no decision and no statistic comes of it."""


CONSENTED = (Purpose.CREDIT_ASSESSMENT, Purpose.POST_LOAN_MANAGEMENT, Purpose.MODEL_DEVELOPMENT)
"""The purposes that a person can be asked a consent for."""
NO_CONSENT = ("open_data", "contract", "legal_obligation")
"""Legal bases of a dataset under which no purpose needs a consent; the first that holds is named."""
BASES: Mapping[str, Text] = {
    "pseudonymised_statistics": Text(
        "仅以假名形式用于统计建模：不作出任何关于个人的决定，不输出个人记录",
        "statistics over pseudonymised records: nothing is decided about a person, and no person's record leaves",
    ),
    "fairness_duty": Text(
        "履行公平义务：自动化决策不得对个人实行不合理的差别待遇（个人信息保护法第二十四条）",
        "the duty that automated decisions treat nobody unreasonably differently (PIPL Art. 24)",
    ),
    "earlier_processing": Text(
        "证明此前的合法处理：撤回同意不影响撤回前处理的效力（个人信息保护法第十五条）",
        "proof of what was lawfully done before: a withdrawal does not undo it (PIPL Art. 15)",
    ),
    "rights_of_the_subject": Text(
        "应个人本人请求行使其权利（个人信息保护法第四十四至四十七条）",
        "the subject's own rights, at the subject's own request (PIPL Art. 44-47)",
    ),
    "accuracy_duty": Text(
        "保证个人信息的质量与归属正确（个人信息保护法第八条）",
        "the duty to keep records right and with the right person (PIPL Art. 8)",
    ),
}  # fmt: skip
"""Every basis that a contract or a purpose can state, in its exact words."""
OF_PURPOSE: Mapping[Purpose, str] = {
    Purpose.AUDIT: "earlier_processing",
    Purpose.SUBJECT_RIGHTS: "rights_of_the_subject",
    Purpose.UPKEEP: "accuracy_duty",
}
"""Purposes with a basis of their own, whatever the dataset."""
FITTING: Mapping[Purpose, str] = {
    Purpose.MODEL_DEVELOPMENT: "pseudonymised_statistics",
    Purpose.FAIRNESS_TEST: "fairness_duty",
    **OF_PURPOSE,
}
"""The one basis that a contract can state for a purpose; a decision about a person has none."""


class Refusal(StrEnum):
    """Why a read is not allowed."""

    NO_CONSENT = "missing"
    OTHER_PURPOSE = "other_purpose"
    OTHER_RECIPIENT = "other_recipient"
    WITHDRAWN = "withdrawn"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_COVERED = "category_not_covered"
    ONLY_PURPOSE = "only_purpose"


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as it is recorded; instants in µs, ``valid_to`` excluded."""

    consent_id: UUID
    subject_id: int
    categories: tuple[str, ...]
    purpose: str
    valid_from: int
    valid_to: int
    withdrawn_at: int | None
    recipient: str

    def is_live(self, at: int) -> bool:
        """Whether it holds at a moment, for whatever purpose."""
        withdrawn = self.withdrawn_at is not None and self.withdrawn_at <= at
        return self.valid_from <= at < self.valid_to and not withdrawn

    def refusal(self, purpose: Purpose, recipient: str, at: int) -> tuple[Refusal, str] | None:
        """Why it does not cover this use at this moment, with a sentence; None where it does."""
        if self.purpose != purpose.value:
            said = f"the consent was given for {self.purpose}, not for {purpose.value}."
            return Refusal.OTHER_PURPOSE, said
        if self.recipient != recipient:
            return Refusal.OTHER_RECIPIENT, "the consent was given to another recipient."
        if self.withdrawn_at is not None and self.withdrawn_at <= at:
            return Refusal.WITHDRAWN, f"the consent was withdrawn on {iso(self.withdrawn_at)}."
        if at < self.valid_from:
            return Refusal.NOT_YET_VALID, f"the consent only begins on {iso(self.valid_from)}."
        if at >= self.valid_to:
            return Refusal.EXPIRED, f"the consent ended on {iso(self.valid_to)}."
        return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allowed under ``basis`` (and the consent, where that is the basis), or refused and why."""

    basis: str = ""
    consent_id: UUID | None = None
    refusal: Refusal | None = None
    problem: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the read may happen."""
        return self.refusal is None


@dataclass(frozen=True, slots=True)
class Access:
    """Who reads, for what, on whose behalf, and when (µs); ``consents`` of the subjects that are read.

    ``actor`` is the id of a person or system, or the name of a process that acts for nobody else.
    """

    actor: str
    purpose: Purpose
    recipient: str
    at: int
    consents: tuple[Consent, ...] = field(default=())

    def of(self, subject: int) -> tuple[Consent, ...]:
        """The consents of one subject."""
        return tuple(consent for consent in self.consents if consent.subject_id == subject)


def may_read(
    contract: Contract, purpose: Purpose, recipient: str, consents: Iterable[Consent], at: int
) -> Verdict:
    """Whether a dataset of one subject, who gave ``consents``, may be read; without any, by a stated basis only."""
    if contract.only_purpose and contract.only_purpose != purpose.value:
        problem = f"it may be read for {contract.only_purpose} and for nothing else."
        return Verdict(refusal=Refusal.ONLY_PURPOSE, problem=problem)
    basis = stated_basis(contract, purpose)
    return Verdict(basis) if basis else _by_consent(contract, purpose, recipient, tuple(consents), at)


def stated_basis(contract: Contract, purpose: Purpose) -> str:
    """The basis under which a purpose needs no consent for a dataset; empty where it needs one."""
    general = next((basis for basis in NO_CONSENT if basis in contract.legal_basis), "")
    return contract.bases.get(purpose.value) or general or OF_PURPOSE.get(purpose, "")


_NEAREST = (
    Refusal.WITHDRAWN, Refusal.EXPIRED, Refusal.NOT_YET_VALID, Refusal.OTHER_PURPOSE, Refusal.OTHER_RECIPIENT,
)  # fmt: skip
"""Of several consents that do not cover a use, the one that came nearest says why."""


def _by_consent(
    contract: Contract, purpose: Purpose, recipient: str, consents: tuple[Consent, ...], at: int
) -> Verdict:
    if not consents:
        return Verdict(refusal=Refusal.NO_CONSENT, problem="there is no consent.")
    covering = [consent for consent in consents if contract.consent_category in consent.categories]
    found = [(consent.consent_id, consent.refusal(purpose, recipient, at)) for consent in covering]
    live = [consent_id for consent_id, why in found if why is None]
    if live:
        return Verdict("consent", live[0])
    refusals = dict(why for _, why in found if why is not None)
    if not refusals:
        return Verdict(refusal=Refusal.NOT_COVERED, problem="no consent covers this category.")
    nearest = next(why for why in _NEAREST if why in refusals)
    return Verdict(refusal=nearest, problem=refusals[nearest])
