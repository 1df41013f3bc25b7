"""What the commands of signals do, as plain functions: each takes settings and returns a value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from features.calendar import DAY, instant, months_before
from features.canonical import canonical_bytes, digest
from features.contracts.documents import convert, parse_yaml
from features.definitions.conditions import BrokenDefinition
from features.definitions.plan import FeaturePlan
from features.errors import Invalid
from features.terminal import Step
from features.timeline.door import Door
from serving import operations
from serving.access.model import Authority, Permission
from serving.clock import wall_clock
from serving.governance import documents
from serving.governance.analyst import training_door
from serving.governance.promotion import Promoted
from serving.policy.findings import Finding, error
from serving.registry import repository
from serving.registry import service as registry
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import tenant_transaction
from serving.watch.analysis import findings
from serving.watch.asked import models_in_force
from serving.watch.backtest import Backtest, backtest
from serving.watch.book import datasets
from serving.watch.document import Signal, SignalsDocument
from serving.watch.models import Models
from serving.watch.months import month_ends, month_of
from serving.watch.signals import BOOK_VALUES, own_columns, read_signals
from serving.watch.values import Reading, Sources, narrowed, never_came
from training.portfolio import find_portfolio, load_portfolio

SLOT = "signals"
YEAR = 12


class Version(NamedTuple):
    """Signals with their digest, in force from ``since`` until ``until`` (µs; 0: nowhere, without end)."""

    digest: str
    document: SignalsDocument
    since: int = 0
    until: int = 0


class NoPast(Invalid):
    """A portfolio whose past cannot be looked at."""

    def __init__(self, portfolio: str) -> None:
        super().__init__("it has no lake of loans.", place=f"portfolio {portfolio}", remedy="Use city.")


def check(path: Path, portfolio: str) -> list[Finding]:
    """`yidai signals check`: all that is wrong with a file, against the features of a portfolio.

    Raises:
        BrokenDocument: it is no signals.
    """
    return examine(_file(path), load_portfolio(find_portfolio(portfolio)).plan)


def examine(document: SignalsDocument, plan: FeaturePlan) -> list[Finding]:
    """All that is wrong with signals, against the features of a plan."""
    known = [column.name for column in plan.columns]
    found = findings(document, [*known, *own_columns(document), *BOOK_VALUES])
    try:
        narrowed(plan, document.definitions, own_columns(document))
    except BrokenDefinition as broken:
        found.append(error("definition", broken.place or "definitions", broken.message, broken.remedy or ""))
    return found


def _file(path: Path) -> SignalsDocument:
    if path.suffix == ".json":
        return read_signals(path.read_bytes())
    return convert(parse_yaml(path), SignalsDocument, path)


def version_of(settings: Settings, name: str) -> Version:
    """Signals by their file, the slot ``signals`` or a digest.

    Raises:
        UnknownArtifact, BrokenDocument: there are none such.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml", ".json"}:
        document = _file(path)
        return Version(digest(canonical_bytes(document)), document)
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        found = registry.artifact(connection, repository.active(connection, wall_clock()).get(name, name))
    return Version(found.digest, read_signals(found.data))


def standing(settings: Settings) -> list[Version]:
    """`yidai signals show`: the versions in force and those that are to begin."""
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    now = wall_clock()
    with tenant_transaction(database, asker.tenant) as connection:
        rows = [row for row in repository.history(connection) if row["slot"] == SLOT]
        return [
            Version(row["digest"], read_signals(registry.artifact(connection, row["digest"]).data),
                    row["active_from"], row["active_to"] or 0)
            for row in rows
            if row["active_to"] is None or row["active_to"] > now
        ]  # fmt: skip


def write(version: Version, path: Path) -> None:
    """`yidai signals show --out`: a version as YAML that `check`, `diff` and `submit` take."""
    head = f"# Signals {version.digest}. How to read and change them: docs/signals.md.\n"
    text = yaml.safe_dump(
        msgspec.to_builtins(version.document), allow_unicode=True, sort_keys=False, width=120
    )
    path.write_text(head + text, encoding="utf-8")


def activate(settings: Settings, name: str, begin: int | None = None) -> Promoted:
    """`yidai signals activate`: put approved signals in force, now or at a later moment.

    Raises:
        GatesMissed, BrokenSignal, Scheduled, UnknownArtifact, Invalid: nothing changed.
    """
    return documents.activate(settings, Kind.SIGNALS, name, begin)


def differences(before: SignalsDocument, after: SignalsDocument) -> list[str]:
    """`yidai signals diff`: how two versions differ, signal by signal, in lines."""
    one, other = _parts(before), _parts(after)
    lines = [f"{name}: taken away" for name in one if name not in other]
    lines += [f"{name}: new" for name in other if name not in one]
    for name in one:
        if name in other and one[name] != other[name]:
            fields = one[name].keys() | other[name].keys()
            told = [f for f in sorted(fields) if one[name].get(f) != other[name].get(f)]
            lines += [f"{name}, {f}: {one[name].get(f, '-')} → {other[name].get(f, '-')}" for f in told]
    return lines


def _parts(document: SignalsDocument) -> dict[str, dict[str, object]]:
    found = {_name(signal): msgspec.to_builtins(signal) for signal in document.signals}
    found |= {f"playbook {code}": msgspec.to_builtins(text) for code, text in document.playbooks.items()}
    for file in document.definitions:
        for each in file.features:
            found[f"definition {each.name}"] = {"dataset": file.dataset, **msgspec.to_builtins(each)}
    return found


def _name(signal: Signal) -> str:
    return f"{signal.code} from {signal.effective_from}" if signal.effective_from else signal.code


def run_backtest(
    settings: Settings,
    portfolio: str,
    name: str,
    first: str = "",
    last: str = "",
    progress: Step | None = None,
) -> Backtest:
    """`yidai signals backtest`: signals by file, slot or digest over the past months of a portfolio's loans.

    Raises:
        NoPast: there is no lake of loans.
        Invalid: fewer than two months, with what to ask for.
    """
    version = version_of(settings, name)
    found = load_portfolio(find_portfolio(portfolio))
    door = training_door(settings, found)
    if door is None:
        raise NoPast(portfolio)
    return over_past(found.plan, version, door, first, last, progress, _models(settings, found.plan))


def try_draft(
    settings: Settings,
    database: Database,
    asker: Authority,
    versions: Sequence[Version],
    portfolio: str,
    progress: Step | None = None,
) -> list[Backtest]:
    """Signals over the past months of a portfolio's loans before they are submitted, each version in turn.

    Raises:
        NoPast: there is no lake of loans.
    """
    asker.holds(Permission.SUBMIT)
    found = load_portfolio(find_portfolio(portfolio))
    door = training_door(settings, found, asker.actor)
    if door is None:
        raise NoPast(portfolio)
    models = _asked(database, asker, found.plan)
    return [over_past(found.plan, version, door, progress=progress, models=models) for version in versions]


def _models(settings: Settings, plan: FeaturePlan) -> Models:
    """Those in force of the same definitions, for who names himself; none otherwise."""
    if not settings.token:
        return Models()
    database = open_store(settings)
    return _asked(database, operations.authority(settings, database, Permission.READ_REGISTRY), plan)


def _asked(database: Database, asker: Authority, plan: FeaturePlan) -> Models:
    with tenant_transaction(database, asker.tenant) as connection:
        slots = repository.active(connection, wall_clock())
        same = slots.get("definitions") == plan.digest
        return models_in_force(connection, slots, plan) if same else Models()


def over_past(
    plan: FeaturePlan,
    version: Version,
    door: Door,
    first: str = "",
    last: str = "",
    progress: Step | None = None,
    models: Models | None = None,
) -> Backtest:
    """A version over the month ends from ``first`` to ``last`` (dates; the year before the last twelve months without)."""
    reading = Reading.of(plan, version.document, models)
    sources = past(plan, reading, door)
    seen = max((int(t.known_from.max()) for t in sources.book.values() if len(t)), default=0)
    end = instant(last) + DAY if last else months_before(seen, YEAR)
    begin = instant(first) if first else months_before(end, YEAR)
    ends = month_ends(month_of(begin), end)
    if len(ends) < 2:
        problem = "there is not one month between the two dates."
        raise Invalid(problem, place="--from, --to", remedy="Give dates a month apart, or leave both out.")
    observed = month_ends(ends[0], seen + 32 * DAY)
    return backtest(version.document, version.digest, reading, sources, ends, observed, progress=progress)


def past(plan: FeaturePlan, reading: Reading, door: Door) -> Sources:
    """Everybody's records, read once, for many moments; relatives' are not read."""
    named = datasets(plan.contracts)
    book = door.whole(plan.contracts, named, needed=named)
    wanted = set(reading.whole.datasets) - set(reading.relatives)
    read = door.whole(reading.whole.contracts, wanted)
    silent = never_came(reading, read.tables, door)
    return Sources(book.tables, read.tables, None, silent, read.left_out)
