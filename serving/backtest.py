"""A policy over the applications of the past: what each rule would have struck, and what became of those.

The access model (贷前准入) is the policy's gates with a data-sufficiency limit that history chose: the
least number of sources with a record at which the score still tells goods from bads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL
from features.canonical import canonical_bytes, code_of
from features.contracts.model import SubjectKind
from features.definitions.plan import FeaturePlan
from features.errors import Invalid
from features.matrix import FeatureMatrix, Missing
from features.timeline.door import Door
from features.timeline.events import EventTable
from serving.policy import facts as names
from serving.policy.evaluate import FactColumn, evaluate_many
from serving.policy.load import load_policy
from serving.policy.model import Effect, Gate, Rule
from serving.policy.policy import Policy
from training.population import Rows, as_of_value
from training.portfolio import PerformanceLabel, Portfolio

Int64 = NDArray[np.int64]
MOST_REFERRED = 0.05
"""Data sufficiency may send at most this share of the applicants to a person."""
CONFIDENCE = 1.645
"""One-sided 95 %: a score informs where its gain in log loss is this many standard errors above nothing."""
FEW = 30
"""Fewer rows than this prove nothing either way."""


class NoSufficiencyRule(Invalid):
    """A policy without a rule on the number of sources."""

    def __init__(self) -> None:
        super().__init__(
            f"no rule asks for {names.SOURCES} lt N.",
            place="policy",
            remedy="Add such a rule: training the access model sets its limit.",
        )


class RuleRecord(msgspec.Struct, frozen=True):
    """One rule over history: ``struck`` of all rows; outcomes only where they are known."""

    id: str
    code: str
    effect: str
    struck: int
    struck_labelled: int
    struck_bad_rate: float | None
    passed_bad_rate: float | None


class AccessReport(msgspec.Struct, frozen=True):
    """What the access model was made of. ``gains`` is by number of sources: rows and mean gain in log loss."""

    rows: int
    labelled: int
    min_sources: int
    declined: int
    referred: int
    rules: tuple[RuleRecord, ...]
    gains: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class History:
    """Past applications: features, the sources with a record, and outcomes (-1 unknown, 0 good, 1 bad)."""

    matrix: FeatureMatrix
    sources: Int64
    facts: Mapping[str, FactColumn]
    outcome: NDArray[np.int8]

    @property
    def columns(self) -> dict[str, FactColumn]:
        """Everything that rules may ask of the applications."""
        matrix = self.matrix
        found = dict(self.facts) | {names.SOURCES: _present(self.sources.astype(np.float64))}
        for place, column in enumerate(matrix.columns):
            found[column.name] = FactColumn(matrix.values[:, place], matrix.missing[:, place])
        return found


def sources_with_record(
    tables: Mapping[str, EventTable], datasets: Sequence[str], subjects: Int64, as_of: Int64
) -> Int64:
    """How many datasets that were read hold a record known at ``as_of`` [rows], of the subjects [rows].

    A key's rows follow each other without a gap, so that what was known once stays known in some version.
    """
    total = np.zeros(len(subjects), dtype=np.int64)
    for name in filter(tables.__contains__, datasets):
        table = tables[name]
        known, first = np.unique(table.subject, return_index=True)
        if not len(known):
            continue
        since = np.minimum.reduceat(table.known_from, first)
        place = np.minimum(np.searchsorted(known, subjects), len(known) - 1)
        total += (known[place] == subjects) & (since[place] <= as_of)
    return total


def request_facts(
    plan: FeaturePlan,
    people: EventTable,
    dataset: str,
    request: Mapping[str, str],
    birth: Int64,
    as_of: Int64,
) -> dict[str, FactColumn]:
    """The facts of an application that are no features, from the population's rows.

    ``request`` maps ``amount``, ``term_months`` and ``purpose`` to fields of ``dataset``; ``birth`` is each
    applicant's birth instant (``NULL`` where unknown). Everybody is taken to have consented, in the region,
    for a consumer's loan, with checks that found nothing: history does not say otherwise.
    """
    count = len(people)
    contract = plan.contracts[dataset]
    found: dict[str, FactColumn] = {}
    for fact, asked in ((names.AMOUNT, "amount"), (names.TERM, "term_months")):
        if asked in request:
            found[fact] = _present(people.columns[request[asked]].astype(np.float64))
    if "purpose" in request:
        texts = {code_of(text): text for text in contract.field(request["purpose"]).codes}
        codes = people.columns[request["purpose"]].tolist()
        found[names.PURPOSE] = _present(np.array([texts.get(code, "") for code in codes]))
    age = np.floor((as_of - np.where(birth == NULL, as_of, birth)) / (365.25 * 86_400_000_000))
    unknown = np.where(birth == NULL, Missing.NO_RECORD, Missing.PRESENT).astype(np.uint8)
    found[names.AGE] = FactColumn(age, unknown)
    term = found[names.TERM].values if names.TERM in found else np.zeros(count)
    found[names.AGE_AT_END] = FactColumn(age + np.floor(term / 12), unknown)
    found[names.REGION] = _present(np.full(count, "city"))
    found[names.PRODUCT] = _present(np.full(count, "consumer"))
    found[names.IDENTITY] = _present(np.full(count, names.Identity.PASSED.value))
    found[names.AML] = _present(np.full(count, names.Aml.CLEAR.value))
    for category in {contract.consent_category for contract in plan.contracts.values()}:
        found[names.CONSENT + category] = _present(np.ones(count))
    return found


def read_history(rows: Rows, portfolio: Portfolio, door: Door) -> History:
    """The past applications of a portfolio whose label comes from its loan book, in the order of ``rows``.

    Raises:
        Invalid: a portfolio without applications.
    """
    label = portfolio.file.label
    if not isinstance(label, PerformanceLabel):
        raise Invalid(
            "its label is a column: there are no applications to judge.",
            place=f"portfolio {portfolio.name}",
            remedy="The access model needs `label: {kind: performance}`.",
        )
    population = portfolio.file.population
    wanted = {*portfolio.plan.datasets, *portfolio.contracts}
    tables = door.whole(portfolio.contracts, wanted, needed=[population.dataset]).tables
    table = tables[population.dataset]
    codes = table.columns[label.application]
    order = np.argsort(codes, kind="stable")
    people = table.take(order[np.searchsorted(codes[order], rows.identifier)])
    birth = _births(portfolio, tables, rows)
    request = (
        {"purpose": "purpose"} | population.request if "purpose" in table.columns else population.request
    )
    facts = request_facts(portfolio.plan, people, population.dataset, request, birth, rows.as_of)
    sources = sources_with_record(tables, portfolio.plan.sources_of_subject, rows.subject, rows.as_of)
    outcome = np.where(rows.labelled(), rows.outcome, -1).astype(np.int8)
    return History(rows.matrix, sources, facts, outcome)


def _births(portfolio: Portfolio, tables: Mapping[str, EventTable], rows: Rows) -> Int64:
    """Dates of birth by the register of persons, which is the contract that says so of every number."""
    for name, contract in portfolio.contracts.items():
        if (
            contract.subject is SubjectKind.PERSON
            and "birth_date" in contract.names
            and not contract.unnumbered
        ):
            found = as_of_value(tables[name], "birth_date", rows.subject, rows.as_of)
            return np.where(found == rows.subject, NULL, found)
    return np.full(len(rows.subject), NULL)


def train_access(policy: Policy, history: History, pd: NDArray[np.float64]) -> tuple[bytes, AccessReport]:
    """The policy with its data-sufficiency limit set from history, and the record of every rule.

    ``pd`` float64 [rows] are the scorecard's predictions of rows that it has not seen, NaN elsewhere.

    Raises:
        NoSufficiencyRule: the policy has no rule on the number of sources.
    """
    least, gains = sufficient_sources(history, pd)
    data = with_limit(policy, least)
    report = _record(load_policy(data), history, least, gains)
    return data, report


def sufficient_sources(
    history: History, pd: NDArray[np.float64]
) -> tuple[int, tuple[tuple[int, int, float], ...]]:
    """The least number of sources at which the score informs, and the gain by number of sources.

    From the bottom up, applicants with as few sources are left to a person while the score's gain in log
    loss over the mean bad rate is not clearly above nothing, and at most ``MOST_REFERRED`` of all would go.
    """
    known = (history.outcome >= 0) & ~np.isnan(pd)
    base = float(history.outcome[known].mean())
    p = np.clip(np.where(known, pd, 0.5), 1e-9, 1 - 1e-9)
    loss = np.where(history.outcome == 1, np.log(p / base), np.log((1 - p) / (1 - base)))
    least, gains, open_ = 0, [], True
    for number in range(int(history.sources.max()) + 1):
        rows = loss[known & (history.sources == number)]
        gains.append((number, len(rows), float(rows.mean()) if len(rows) else 0.0))
        share = float((history.sources <= number).mean())
        unsure = len(rows) < FEW or rows.mean() < CONFIDENCE * rows.std() / np.sqrt(len(rows))
        open_ = open_ and bool(unsure) and share <= MOST_REFERRED
        least = number + 1 if open_ else least
    return least, tuple(gains)


def with_limit(policy: Policy, least: int) -> bytes:
    """The policy's canonical bytes with every ``sources_with_record lt N`` set to ``least``.

    Raises:
        NoSufficiencyRule: it has none.
    """
    gates = tuple(_with_gate(gate, least) for gate in policy.document.gates)
    if gates == policy.document.gates and not _asks(policy):
        raise NoSufficiencyRule
    return canonical_bytes(msgspec.structs.replace(policy.document, gates=gates))


def _asks(policy: Policy) -> bool:
    return any(c.fact == names.SOURCES for rule in policy.rules for c in rule.when.conditions)


def _with_gate(gate: Gate, least: int) -> Gate:
    return msgspec.structs.replace(gate, rules=tuple(_with_rule(rule, least) for rule in gate.rules))


def _with_rule(rule: Rule, least: int) -> Rule:
    def limited(conditions: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            msgspec.structs.replace(c, value=least) if c.fact == names.SOURCES else c for c in conditions
        )

    when = msgspec.structs.replace(rule.when, all=limited(rule.when.all), any=limited(rule.when.any))
    return msgspec.structs.replace(rule, when=when)


def _record(
    policy: Policy, history: History, least: int, gains: tuple[tuple[int, int, float], ...]
) -> AccessReport:
    columns = history.columns
    count = len(history.outcome)
    whole = evaluate_many(policy, columns, count, policy.settled_day)
    rules = tuple(_rule_record(policy, rule, columns, history.outcome) for rule in policy.rules)
    known = int((history.outcome >= 0).sum())
    declined, referred = (int((whole.effect == e).sum()) for e in (Effect.DECLINE, Effect.REFER))
    return AccessReport(count, known, least, declined, referred, rules, gains)


def _rule_record(
    policy: Policy, rule: Rule, columns: Mapping[str, FactColumn], outcome: NDArray[np.int8]
) -> RuleRecord:
    struck = evaluate_many(policy.only(rule), columns, len(outcome), policy.settled_day).effect > Effect.PASS
    known = outcome >= 0
    return RuleRecord(
        rule.id, rule.code, rule.effect, int(struck.sum()), int((struck & known).sum()),
        _rate(outcome[struck & known]), _rate(outcome[~struck & known]),
    )  # fmt: skip


def _rate(outcome: NDArray[np.int8]) -> float | None:
    return round(float(outcome.mean()), 6) if len(outcome) else None


def _present(values: NDArray[Any]) -> FactColumn:
    return FactColumn(values, np.zeros(len(values), dtype=np.uint8))
