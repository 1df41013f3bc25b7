"""`yidai models fairness`: a model held against the groups that a law protects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.consent import Access, Purpose
from features.errors import Invalid
from features.files import put_file
from features.timeline.door import AccessLog, Door, FileLog
from features.timeline.lake import Lake
from serving.access.repository import actor_of
from serving.clock import wall_clock
from serving.governance.analyst import training_door
from serving.governance.exchange import find_bundle
from serving.policy.load import policy_from_yaml
from serving.policy.model import GENERAL, GRADES, Outcome
from serving.serve import open_store
from serving.settings import Settings
from serving.store.access_log import StoreLog
from training.fairness_page import fairness_page
from training.fairness_report import FairnessReport, build_fairness
from training.groups import read_attributes
from training.portfolio import find_portfolio, load_portfolio
from training.predict import OtherFeatures
from training.run import NoLake, prepare


@dataclass(frozen=True, slots=True)
class Tested:
    """A report and where its page and its twin lie."""

    report: FairnessReport
    page: Path
    twin: Path


class NoLakeOfGroups(Invalid):
    """A portfolio that brings its own files."""

    def __init__(self, portfolio: str) -> None:
        super().__init__(
            f"portfolio {portfolio} brings its own files, and protected attributes are read from the lake alone.",
            place="--portfolio", remedy="Test a model of a portfolio that says use_lake: true.",
        )  # fmt: skip


def fairness_of(settings: Settings, name: str, portfolio: str, policy: Path, out: Path) -> Tested:
    """Test a bundle (a digest of the registry, or a file) on its portfolio's rows; grades and prices by ``policy``.

    Raises:
        OtherFeatures: the bundle was trained on other definitions.
        NoLakeOfGroups, NoLake, NoGroups: there is nothing to test with.
    """
    scorer = find_bundle(settings, name)
    found = load_portfolio(find_portfolio(portfolio))
    if scorer.bundle.definitions_digest != found.plan.digest:
        raise OtherFeatures(found.name, name)
    if not found.file.use_lake:
        raise NoLakeOfGroups(found.name)
    if not settings.lake_root.is_dir():
        raise NoLake(found.name, settings.lake_root)
    prepared = prepare(found, door=training_door(settings, found))
    rows = prepared.rows
    groups = read_attributes(found.contracts, _door(settings), rows.subject, rows.as_of, found.name)
    approved_to, rates = _terms(policy)
    report = build_fairness(scorer, prepared, groups, approved_to, rates)
    return _written(report, out)


def _door(settings: Settings) -> Door:
    """To the lake for tests of fairness alone, logged in the store where a token says who asks."""
    now, actor = wall_clock(), "yidai models fairness"
    log: AccessLog = FileLog(settings.lake_root)
    if settings.token:
        database = open_store(settings)
        actor = str(actor_of(database, settings.token, now).actor_id)
        log = StoreLog(settings.tenant, lambda: database)
    return Door(Lake(settings.lake_root), Access(actor, Purpose.FAIRNESS_TEST, "", now), log)


def _terms(path: Path) -> tuple[int, list[float]]:
    """The last grade that a policy approves, and the rate of each grade: of its first product by name, for whom no
    segment takes, for a year.
    """
    policy = policy_from_yaml(path)
    product, tables = next(iter(policy.document.products)), policy.tables
    if tables is None:
        raise Invalid("it prices nothing.", place=str(path), remedy="Name a policy for credit.")
    rows = [tables.terms(product, GENERAL, grade, 12, policy.settled_day) for grade in range(1, GRADES + 1)]
    approved = max((g for g, row in enumerate(rows, 1) if row.cutoff.outcome is Outcome.APPROVE), default=0)
    return approved, [float(row.price.rate_ppm) for row in rows]


def _written(report: FairnessReport, out: Path) -> Tested:
    folder = out / report.portfolio / report.model / report.digest[:12]
    folder.mkdir(parents=True, exist_ok=True)
    page, twin = folder / "fairness.html", folder / "fairness.json"
    for path, data in (
        (twin, msgspec.json.format(msgspec.json.encode(report))),
        (page, fairness_page(report).encode()),
    ):
        put_file(path, data)
    return Tested(report, page, twin)
