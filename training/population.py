"""From a portfolio to a sample: as-of rows, features, outcomes, groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL, instant
from features.canonical import code_of
from features.consent import Access, Purpose
from features.contracts.model import Field
from features.definitions.conditions import matches
from features.errors import Invalid
from features.identity.vault import MemoryVault
from features.matrix import FeatureMatrix
from features.timeline.door import Door, MemoryLog
from features.timeline.events import EventTable
from features.timeline.ingest import FileReport, ingest_source
from features.timeline.lake import Lake
from features.timeline.life import uncorrected
from training.futures import FutureCheck, check_future
from training.labels import Outcome, outcomes
from training.portfolio import ColumnLabel, PerformanceLabel, Portfolio

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The population of a portfolio, in the order of its as-of instants.

    ``outcome`` is an ``Outcome``; ``identifier`` names the row in files (application or subject key);
    ``random`` marks rows that were approved at random and ``refused`` those refused, where the portfolio says
    which.
    """

    matrix: FeatureMatrix
    subject: Int64
    as_of: Int64
    group: Int64
    outcome: NDArray[np.int8]
    identifier: Int64
    random: NDArray[np.bool_] | None = None
    future: FutureCheck | None = None
    """That no feature changed when the future was shuffled; None where the rows were not computed here."""
    refused: NDArray[np.bool_] | None = None

    def labelled(self) -> NDArray[np.bool_]:
        """The rows whose outcome is good or bad."""
        return self.outcome <= Outcome.BAD


class NothingToLearn(Invalid):
    """A portfolio whose rows cannot teach a model."""

    def __init__(self, portfolio: str, rows: int, bads: int) -> None:
        super().__init__(
            f"{rows} labelled rows, {bads} of them bad.",
            place=f"portfolio {portfolio}",
            remedy="A model needs both outcomes: check the label's field, its codes and the maturity of the rows.",
        )


def load_private(portfolio: Portfolio, folder: Path, lake: Lake) -> list[FileReport]:
    """Ingest a portfolio's own files into a lake of its own, under pseudonyms that end with the run."""
    vault = MemoryVault()
    reports = []
    for contract in portfolio.contracts.values():
        reports += ingest_source(contract, folder, vault, lake)
    return reports


def private_rows(portfolio: Portfolio, folder: Path) -> tuple[Rows, list[FileReport]]:
    """The rows of a portfolio that brings its own files."""
    with TemporaryDirectory(prefix="yidai-") as scratch:
        lake = Lake(Path(scratch))
        reports = load_private(portfolio, folder, lake)
        return population_rows(portfolio, private_door(portfolio, lake)), reports


def private_door(portfolio: Portfolio, lake: Lake) -> Door:
    """The door to a lake that ends with the run: what its owner brings is read on the contracts' own bases."""
    access = Access("training", Purpose.MODEL_DEVELOPMENT, portfolio.name, 0)
    return Door(lake, access, MemoryLog())


def population_rows(portfolio: Portfolio, door: Door, observed_to: int | None = None) -> Rows:
    """The rows of a portfolio whose datasets lie behind ``door``.

    ``observed_to`` is the instant from which outcomes are seen; the last payment that is known otherwise.
    Datasets that the door's purpose may not read are not authorised in every row.

    Raises:
        NotAllowed: the population, its outcomes or its groups may not be read for this purpose.
        NothingToLearn: no rows, or only one outcome.
        Invalid: rows without an as-of date.
        ReadsTheFuture: a feature that changes with what was not known yet.
    """
    read = door.whole(portfolio.contracts, portfolio.contracts, needed=needed_datasets(portfolio))
    tables = read.tables
    people, as_of, request = read_people(portfolio, tables)
    views = sorted(set(portfolio.plan.datasets) - set(portfolio.contracts))
    more = door.whole(portfolio.contracts, views, np.unique(people.subject))
    tables |= more.tables
    left_out = read.left_out | more.left_out
    masked = {name: left_out[name] for name in portfolio.plan.datasets if name in left_out}
    matrix = portfolio.plan.build(tables, people.subject, as_of, masked, request)
    outcome, identifier = _outcomes(portfolio, tables, people, observed_to)
    group = _groups(portfolio, tables, people, as_of)
    future = check_future(portfolio.plan, tables, masked, people.subject, as_of, request, matrix)
    random, refused = (
        _that_meet(portfolio, people, where)
        for where in (portfolio.file.population.random, portfolio.file.population.refused)
    )
    rows = Rows(matrix, people.subject, as_of, group, outcome, identifier, random, future, refused)
    bads = int((outcome == Outcome.BAD).sum())
    if bads == 0 or bads == int(rows.labelled().sum()):
        raise NothingToLearn(portfolio.name, int(rows.labelled().sum()), bads)
    return rows


def needed_datasets(portfolio: Portfolio) -> list[str]:
    """The datasets without which a portfolio has no rows, no outcomes or no groups."""
    population, label = portfolio.file.population, portfolio.file.label
    names = {population.dataset}
    if isinstance(label, PerformanceLabel):
        names |= {label.loans, label.instalments, label.payments, label.fraud}
    if "." in population.group:
        names.add(population.group.partition(".")[0])
    return sorted(names & portfolio.contracts.keys())


def read_people(
    portfolio: Portfolio, tables: Mapping[str, EventTable]
) -> tuple[EventTable, Int64, dict[str, NDArray[np.float64]]]:
    """Rows of the population, their as-of instants, by which they are ordered, and what they ask for.

    Raises:
        NothingToLearn: no row meets the portfolio's conditions.
        Invalid: rows without an as-of date.
    """
    people = _people(portfolio, tables)
    as_of = _as_of(portfolio, people)
    order = np.lexsort((people.subject, as_of))
    people = people.take(order)
    return people, as_of[order], _request(portfolio, people)


def last_known(tables: Mapping[str, EventTable], dataset: str) -> int:
    """The newest known time of a dataset: as far as outcomes can be seen."""
    table = tables[dataset]
    if not len(table):
        raise Invalid(f"dataset {dataset} is empty.", remedy="Ingest it before training.")
    return int(table.known_from.max())


def _people(portfolio: Portfolio, tables: Mapping[str, EventTable]) -> EventTable:
    population = portfolio.file.population
    table = tables[population.dataset]
    contract = portfolio.contracts[population.dataset]
    current = uncorrected(contract, table)
    kept = matches(contract, dict(population.where), current.columns, len(current))
    if not kept.any():
        raise NothingToLearn(portfolio.name, 0, 0)
    return current.take(kept)


def _that_meet(
    portfolio: Portfolio, people: EventTable, where: Mapping[str, object]
) -> NDArray[np.bool_] | None:
    if not where:
        return None
    contract = portfolio.contracts[portfolio.file.population.dataset]
    return matches(contract, dict(where), people.columns, len(people))


def _as_of(portfolio: Portfolio, people: EventTable) -> Int64:
    as_of = portfolio.file.population.as_of
    if as_of.constant:
        return np.full(len(people), instant(as_of.constant))
    moments = people.columns[as_of.field]
    if (moments == NULL).any():
        count = int((moments == NULL).sum())
        raise Invalid(
            f"{count} rows have no {as_of.field}.", remedy="Mark the field as required in its contract."
        )
    return moments


def _request(portfolio: Portfolio, people: EventTable) -> dict[str, NDArray[np.float64]]:
    contract = portfolio.contracts[portfolio.file.population.dataset]
    found = {}
    for name, source in portfolio.file.population.request.items():
        field = contract.field(source)
        values = people.columns[source].astype(np.float64)
        found[name] = values if field.is_code else values / field.divisor
    return found


def _outcomes(
    portfolio: Portfolio, tables: Mapping[str, EventTable], people: EventTable, observed_to: int | None
) -> tuple[NDArray[np.int8], Int64]:
    label = portfolio.file.label
    if isinstance(label, PerformanceLabel):
        until = last_known(tables, label.payments) if observed_to is None else observed_to
        applications = people.columns[label.application]
        return outcomes(label, tables, people.subject, applications, until), applications
    field = portfolio.contracts[portfolio.file.population.dataset].field(label.field)
    return _column_outcomes(label, field, people.columns[label.field]), people.subject


def _column_outcomes(label: ColumnLabel, field: Field, values: Int64) -> NDArray[np.int8]:
    out = np.full(len(values), Outcome.IMMATURE, dtype=np.int8)
    for outcome, texts in ((Outcome.BAD, label.bad), (Outcome.GOOD, label.good)):
        wanted = [code_of(text) if field.is_code else _number(field, text) for text in texts]
        out[np.isin(values, wanted)] = outcome
    return out


def _number(field: Field, text: str) -> int:
    try:
        return round(float(text) * field.divisor)
    except ValueError:
        problem = f"the label's value {text!r} is no {field.type} value."
        raise Invalid(problem, remedy="Write the value as it stands in the file.") from None


def _groups(
    portfolio: Portfolio, tables: Mapping[str, EventTable], people: EventTable, as_of: Int64
) -> Int64:
    """Rows of one group stay on one side of a split: the named field, read as of the row; else the subject."""
    name = portfolio.file.population.group
    if name and "." not in name:
        values = people.columns[name]
        return np.where(values == NULL, people.subject, values)
    if not name:
        return people.subject
    dataset, field = name.split(".", 1)
    return as_of_value(tables[dataset], field, people.subject, as_of)


def as_of_value(table: EventTable, field: str, subjects: Int64, as_of: Int64) -> Int64:
    """The newest known value of a field for each (subject, as_of); the subject itself where there is none."""
    out = subjects.copy()
    first = np.searchsorted(table.subject, subjects, side="left")
    event = np.searchsorted(table.subject, subjects, side="right") - 1
    values = table.columns[field]
    waiting = np.flatnonzero(event >= first)
    while len(waiting):
        at, moment = event[waiting], as_of[waiting]
        found = (table.known_from[at] <= moment) & (moment < table.known_to[at])
        found &= (table.valid_from[at] < moment) & (values[at] != NULL)
        out[waiting[found]] = values[at[found]]
        waiting = waiting[~found]
        event[waiting] -= 1
        waiting = waiting[event[waiting] >= first[waiting]]
    return out
