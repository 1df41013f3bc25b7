"""All that one decision is made from, as it is kept in the receipt; and the features computed for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.consent import Purpose, stated_basis
from features.contracts.model import Contract
from features.definitions.online import known_datasets
from features.errors import Unavailable
from features.matrix import FeatureMatrix, Missing
from features.timeline.events import EventTable, Pin
from features.timeline.packed import PackedTimeline
from serving.decisions.live import Live
from serving.decisions.schemas import Arm, Asked
from serving.policy.days import day_of
from serving.sources.model import State

_MOST_KEPT = 4_096
"""Sets of consents and silent sources whose missing datasets are remembered."""


class NotHydrated(Unavailable):
    """The online store does not hold the subject: not the same as having no record."""

    def __init__(self, dataset: str = "") -> None:
        super().__init__(
            f"the applicant's records are not online{f' ({dataset})' if dataset else ''}; nothing was decided.",
            remedy="Wait a moment and send the same request again; if it stays, `yidai doctor` says why.",
        )


class CaseConsent(msgspec.Struct, frozen=True):
    """The consent under which it was decided; instants in µs."""

    consent_id: str
    purpose: str
    categories: tuple[str, ...]
    valid_from: int
    valid_to: int


class CaseSubject(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who, without a number. ``version`` is the highest ingest batch that was readable, ``tail`` the highest
    number of a single record (0: none; receipts of schema 1 have no tail).
    """

    kind: str
    subject_id: int
    version: int
    age_years: int
    age_years_at_end: int
    tail: int = 0

    @property
    def pin(self) -> Pin:
        """How far the decision has seen."""
        return Pin(self.version, self.tail)


class CaseHousehold(msgspec.Struct, frozen=True):
    """Whose promises share a cap (a household, or a person without one), and what was promised them, in fen."""

    holder: int
    promised_fen: int


class CaseSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one source that is asked while a decision waits: it ``gives`` a dataset or ``check.`` and a
    check's name; nobody is approved without one that ``must`` answer.
    """

    gives: str
    state: State
    must: bool = False


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """One application, ready to be decided: the same case and the same versions give the same bytes.

    ``disputed`` are the datasets that were read although their subject disputes a record in them, ``causes`` why each
    source that is down is: late, poor in the score that is named, or out of service by an operator.
    ``lists`` says of each list that the policy asks whether the applicant is on it: 1, 0, or -1 where none is in force.
    ``stops`` are those that hold, with the operator's reason; ``full`` the breakers that have too little left for it,
    ``arm`` is the subject's in the experiment that runs, ``sources`` are those that were asked for it.
    """

    decision_id: str
    tenant: str
    actor_id: str
    actor: str
    asked: Asked
    subject: CaseSubject
    consent: CaseConsent
    as_of: int
    decided_at: int
    unavailable: dict[str, int]
    random_budget: bool
    key: str
    disputed: tuple[str, ...] = ()
    causes: dict[str, str] = msgspec.field(default_factory=dict)
    lists: dict[str, int] = msgspec.field(default_factory=dict)
    household: CaseHousehold | None = None
    stops: dict[str, str] = msgspec.field(default_factory=dict)
    full: tuple[str, ...] = ()
    arm: Arm | None = None
    sources: dict[str, CaseSource] = msgspec.field(default_factory=dict)

    @property
    def silent(self) -> frozenset[str]:
        """What the sources would have given that were asked in vain."""
        return frozenset(each.gives for each in self.sources.values() if each.state.silent)

    @property
    def lacks(self) -> bool:
        """Whether a source without which nobody is approved did not answer."""
        return any(each.must and each.state.silent for each in self.sources.values())


def is_authorised(contract: Contract, categories: Collection[str]) -> bool:
    """Whether a dataset may be read to assess a credit, under a live consent to ``categories`` for that.

    Without one: because the contract with the bank is the basis, or as it is nobody's (weather, statistics).
    """
    if contract.only_purpose and contract.only_purpose != Purpose.CREDIT_ASSESSMENT.value:
        return False
    return contract.consent_category in categories or bool(stated_basis(contract, Purpose.CREDIT_ASSESSMENT))


def unavailable(
    live: Live, categories: Collection[str], sources_down: Collection[str], online: Collection[str]
) -> dict[str, int]:
    """Datasets of the definitions that may not be read or do not answer, with their ``Missing`` code.

    A household's records that are not ``online`` lack the consent of one of its members. Most applicants consent to
    one of few sets of categories, so that the answers are kept.
    """
    lacking = tuple(name for name in live.plan.of_relatives if name not in online)
    kept: dict[Any, dict[str, int]] = live.made.setdefault("unavailable", {})
    asked = (frozenset(categories), frozenset(sources_down), lacking)
    found = kept.get(asked)
    if found is None:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        found = kept[asked] = _unavailable(live, categories, sources_down, lacking)
    return dict(found)


def _unavailable(
    live: Live, categories: Collection[str], sources_down: Collection[str], lacking: Collection[str]
) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in live.plan.datasets:
        if name in lacking or not is_authorised(live.contract_of(name), categories):
            found[name] = int(Missing.NOT_AUTHORISED)
        elif name.partition("@")[0] in sources_down:
            found[name] = int(Missing.SOURCE_DOWN)
    return found


def causes_of(sources_down: Mapping[str, str], unavailable_: Mapping[str, int]) -> dict[str, str]:
    """The cause of each dataset that is ``SOURCE_DOWN``, from those of all sources that are down."""
    down = sorted(name for name, code in unavailable_.items() if code == Missing.SOURCE_DOWN)
    return {name: sources_down[name.partition("@")[0]] for name in down}


def disputed_sources(live: Live, disputed: Collection[str], unavailable_: Collection[str]) -> tuple[str, ...]:
    """The datasets with a record that its subject disputes, as far as they are read."""
    if not disputed:
        return ()
    read = {name.partition("@")[0] for name in live.plan.datasets if name not in unavailable_}
    return tuple(sorted(read & set(disputed)))


def listed(live: Live, pseudonym: bytes, now: int) -> dict[str, int]:
    """For each list that the policy asks 1 or 0, or -1 where the list is not in force."""
    day = day_of(now)
    found = {name: live.lists.get(name) for name in live.policy.lists}
    return {name: -1 if one is None else int(one.has(pseudonym, day)) for name, one in found.items()}


def features_of(case: Case, tables: Mapping[str, EventTable], live: Live) -> FeatureMatrix:
    """The one row of features of a case.

    Raises:
        NotHydrated: a dataset that may be read is not in ``tables``.
    """
    check_hydrated(case, tables, live)
    subjects = np.array([case.subject.subject_id], dtype=np.int64)
    as_of = np.array([case.as_of], dtype=np.int64)
    return live.plan.build(tables, subjects, as_of, _masked(case), _requested([case]))


def features_of_many(cases: Sequence[Case], tables: Sequence[PackedTimeline], live: Live) -> FeatureMatrix:
    """The rows of features of cases that ``check_hydrated`` has let pass."""
    subjects = np.array([case.subject.subject_id for case in cases], dtype=np.int64)
    as_of = np.array([case.as_of for case in cases], dtype=np.int64)
    return live.plan.build_packed(
        tables, subjects, as_of, [_masked(case) for case in cases], _requested(cases)
    )


def check_hydrated(case: Case, tables: Collection[str], live: Live) -> None:
    """Whether every dataset that may be read is there.

    Raises:
        NotHydrated: one is not in ``tables``.
    """
    lacking = set(live.plan.datasets).difference(tables, case.unavailable)
    if lacking:
        raise NotHydrated(min(lacking))


def _masked(case: Case) -> dict[str, Missing]:
    return {name: Missing(code) for name, code in case.unavailable.items()}


def _requested(cases: Sequence[Case]) -> dict[str, NDArray[np.float64]]:
    return {
        "amount": np.array([case.asked.amount_fen / 100 for case in cases]),
        "term_months": np.array([float(case.asked.term_months) for case in cases]),
    }


def sources_with_record(case: Case, tables: Mapping[str, EventTable], datasets: Iterable[str]) -> int:
    """How many of the readable datasets hold an event that is known as of the case's moment."""
    readable = [name for name in datasets if name not in case.unavailable]
    return known_datasets(tables, readable, case.as_of)
