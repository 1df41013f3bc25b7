"""Models on their way out and in: what `yidai models export` and `yidai models import` do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from features.canonical import digest
from features.errors import Invalid
from features.files import put_file
from serving import operations
from serving.access.model import Permission
from serving.registry import service as registry
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.session import tenant_transaction
from training.bundle import Bundle, Scorer, dump_bundle, load_bundle
from training.exchange import export_json
from training.expert import read_expert
from training.importing import import_model
from training.portfolio import find_portfolio, load_portfolio
from training.sql import Dialect, bundle_sql


class Format(StrEnum):
    """What a model is written as."""

    SQL = "sql"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Imported:
    """A model as it was written: ``trees`` after those too large were cut into pieces."""

    digest: str
    path: Path
    columns: int
    trees: int
    name: str


def find_bundle(settings: Settings, name: str) -> Scorer:
    """The scorer of a bundle's file, or of the registry's version of that digest.

    Raises:
        UnknownArtifact, Invalid: neither, or a version of another kind.
        BrokenBundle: its bytes are not a bundle.
    """
    if Path(name).is_file():
        return load_bundle(Path(name).read_bytes())
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        found = registry.artifact(connection, name)
    if found.kind is not Kind.BUNDLE:
        raise Invalid(f"it is a {found.kind.value}.", place=name, remedy="Name a bundle: yidai models list.")
    return load_bundle(found.data, found.digest)


def export(settings: Settings, name: str, form: Format, dialect: Dialect, table: str, out: Path) -> int:
    """Write a bundle as SQL or JSON; returns the number of bytes.

    Raises:
        NoStatement: a bundle that does not fit into a statement.
        Invalid: the file cannot be written.
    """
    scorer = find_bundle(settings, name)
    sql = form is Format.SQL
    data = bundle_sql(scorer.bundle, dialect, table).encode() if sql else export_json(scorer)
    put_file(out, data)
    return len(data)


def bring_in(path: Path, portfolio: str, reasons: Path, name: str, out: Path) -> Imported:
    """Read a model of another maker and write it as a bundle under ``out/<portfolio>/<name>``.

    Raises:
        NotImportable, NotCarried, BadCoefficients: with the place and what to do.
    """
    found = load_portfolio(find_portfolio(portfolio))
    return _keep(import_model(path, found, reasons, name), out)


def weigh(path: Path, portfolio: str, out: Path) -> Imported:
    """Compile an expert scorecard and write its bundle under ``out/<portfolio>/<its name>``.

    Raises:
        BrokenDocument, NoScorecard: with the feature and what to write.
    """
    return _keep(read_expert(path, load_portfolio(find_portfolio(portfolio))), out)


def _keep(bundle: Bundle, out: Path) -> Imported:
    data = dump_bundle(bundle)
    folder = out / bundle.portfolio / bundle.model / digest(data)[:12]
    folder.mkdir(parents=True, exist_ok=True)
    put_file(folder / "bundle.json", data)
    return Imported(
        digest(data), folder / "bundle.json", len(bundle.columns), len(bundle.trees), bundle.model
    )
