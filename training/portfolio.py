"""A portfolio is a folder: who is in it, as of when, what happened to them, and how a model is judged."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.contracts import load as contract_load
from features.contracts.documents import BrokenDocument, read_yaml
from features.contracts.load import load_contracts
from features.contracts.model import Contract, Text
from features.definitions import plan as definition_plan
from features.definitions.model import DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan
from features.definitions.standard import standard_set
from features.errors import Invalid
from training.horizons import WarningPanel
from training.level import StatedLevel

PORTFOLIOS = Path(__file__).parent / "portfolios"
"""The folder of the portfolios that Yidai ships."""
BUILTIN = "builtin"
STANDARD = "standard"


class AsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When each row was decided: a field of the population, or a constant for data without time."""

    field: str = ""
    constant: str = ""


class Population(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is in the portfolio: the rows of a dataset that meet ``where``.

    ``request`` maps fields of an application (``amount``, ``term_months``) to fields of these rows.
    ``group`` names a field (of the rows, or ``dataset.field`` as known at the row's time) whose equal values
    stay on one side of every split; without it, the subject does. ``random`` says which rows were approved
    at random, so that the report can set them apart, and ``refused`` which were refused.
    """

    dataset: str
    as_of: AsOf
    where: dict[str, object] = msgspec.field(default_factory=dict)
    request: dict[str, str] = msgspec.field(default_factory=dict)
    group: str = ""
    random: dict[str, object] = msgspec.field(default_factory=dict)
    refused: dict[str, object] = msgspec.field(default_factory=dict)


class ColumnLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="column", tag_field="kind"):
    """The outcome stands in a field of the population; values in neither list are left out."""

    field: str
    bad: tuple[str, ...]
    good: tuple[str, ...]


class PerformanceLabel(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="performance", tag_field="kind"
):
    """The outcome is computed from the loan book, see ``training.labels``.

    ``over_days`` past due above ``material_yuan``, or a state of ``bad_states``, from the borrower's first
    drawdown until ``months`` later or ``days_after_last_due``, whichever is later. With
    ``indeterminate_days`` who is over so many days past due but never bad is left out.
    """

    application: str = "application_id"
    loans: str = "loan"
    instalments: str = "loan_instalment"
    payments: str = "loan_payment"
    fraud: str = "fraud_confirmed"
    over_days: int = 90
    indeterminate_days: int = 0
    material_yuan: float = 100.0
    months: int = 12
    days_after_last_due: int = 90
    bad_states: tuple[str, ...] = ("charged_off", "restructured", "refinanced")


class OutOfTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="out_of_time", tag_field="kind"):
    """Train before an instant, test from it on; no group is on both sides.

    Without ``start`` it is chosen so that ``share`` of the labelled rows come after it. Rows of the last
    ``embargo_days`` before it are left out: their outcomes were not known yet. In a ``panel`` (a row a subject
    and period) earlier periods of those who are still there stay in the train rows, as they would in use, and
    inner folds are blocks of time.
    """

    start: str = ""
    share: float = 0.3
    embargo_days: int = 0
    panel: bool = False


class Folds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="folds", tag_field="kind"):
    """Cross-validation by groups."""

    folds: int = 5
    repeats: int = 1
    seed: int = 7


class PortfolioFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``portfolio.yaml``; see docs/portfolio.md."""

    schema: int
    portfolio: str
    title: Text
    population: Population
    label: ColumnLabel | PerformanceLabel
    split: OutOfTime | Folds
    data: str = ""
    contracts: tuple[str, ...] = ("contracts",)
    features: tuple[str, ...] = (STANDARD,)
    exclude: tuple[str, ...] = ()
    model_kind: str = "credit_approval"
    warning: WarningPanel | None = None
    calibration: StatedLevel | None = None
    use_lake: bool = False
    """Whether the data are in Yidai's own lake already (``yidai ingest``)."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A portfolio that was read and checked."""

    file: PortfolioFile
    folder: Path
    plan: FeaturePlan

    @property
    def name(self) -> str:
        """Its name, which prefixes the names of its models."""
        return self.file.portfolio

    @property
    def contracts(self) -> dict[str, Contract]:
        """Its contracts by dataset."""
        return dict(self.plan.contracts)

    def data_folder(self, override: Path | None = None) -> Path:
        """Where its files lie: the override, or ``data`` with ``${VARIABLES}`` of the environment filled in.

        Raises:
            Invalid: no folder is named, a variable is not set, or there is no such folder.
        """
        if override is None and not self.file.data:
            raise Invalid("it names no data folder.", place=str(self.folder), remedy="Pass --data FOLDER.")
        try:
            folder = override or Path(string.Template(self.file.data).substitute(os.environ))
        except KeyError as error:
            problem = f"its data are under ${{{error.args[0]}}}, which is not set."
            raise Invalid(problem, place=str(self.folder), remedy="Set it, or pass --data FOLDER.") from None
        if not folder.is_dir():
            raise Invalid("there is no such data folder.", place=str(folder), remedy="Pass --data FOLDER.")
        return folder


def find_portfolio(name_or_path: str) -> Path:
    """The portfolio.yaml of a shipped portfolio's name, a folder, or a file.

    Raises:
        Invalid: none of these.
    """
    for path in (
        Path(name_or_path),
        Path(name_or_path) / "portfolio.yaml",
        PORTFOLIOS / name_or_path / "portfolio.yaml",
    ):
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.parent.name for path in PORTFOLIOS.glob("*/portfolio.yaml")))
    raise Invalid(
        "there is no such portfolio.",
        place=name_or_path,
        remedy=f"Name a portfolio.yaml or one of: {shipped}.",
    )


def load_portfolio(path: Path) -> Portfolio:
    """A portfolio with its contracts and definitions compiled.

    Raises:
        BrokenDocument, BrokenDefinition: with the file, the name and what to mend.
    """
    file = read_yaml(path, PortfolioFile)
    if file.schema != 1:
        raise BrokenDocument(path, f"schema {file.schema} is not known.", "Write schema: 1.")
    folder = path.parent
    contracts = load_contracts(_folder(folder, name, contract_load.BUILTIN) for name in file.contracts)
    _check_population(file, contracts, path)
    for part in (file.warning, file.calibration):
        if part is not None and (broken := part.broken):
            raise BrokenDocument(path, *broken)
    plan = FeaturePlan(PlanDocument(1, tuple(contracts.values()), _definitions(file, folder, contracts)))
    return Portfolio(file, folder, plan)


def label_fields(file: PortfolioFile) -> set[str]:
    """Fields of the population that tell the outcome or the time and may be no feature."""
    fields = {file.population.as_of.field} if file.population.as_of.field else set()
    return fields | ({file.label.field} if isinstance(file.label, ColumnLabel) else set())


def _folder(folder: Path, name: str, builtin: Path) -> Path:
    if name == BUILTIN:
        return builtin
    path = folder / name
    if not path.is_dir():
        raise BrokenDocument(
            folder / "portfolio.yaml", f"there is no folder {name!r}.", "Make it, or mend the name."
        )
    return path


def _check_population(file: PortfolioFile, contracts: dict[str, Contract], path: Path) -> None:
    population = file.population
    if population.dataset not in contracts:
        remedy = f"Contracts: {', '.join(contracts)}."
        raise BrokenDocument(path, f"population.dataset {population.dataset!r} has no contract.", remedy)
    names = contracts[population.dataset].names
    wanted = [
        population.as_of.field,
        population.group,
        *population.request.values(),
        *population.where,
        *population.random,
        *population.refused,
    ]
    if isinstance(file.label, ColumnLabel):
        wanted.append(file.label.field)
    for name in filter(None, wanted):
        if "." in name:
            continue
        if name not in names:
            raise BrokenDocument(
                path, f"{name!r} is no field of {population.dataset}.", f"Fields: {', '.join(names)}."
            )
    if bool(population.as_of.field) == bool(population.as_of.constant):
        raise BrokenDocument(path, "population.as_of needs a field or a constant.")


def _definitions(
    file: PortfolioFile, folder: Path, contracts: dict[str, Contract]
) -> tuple[DefinitionFile, ...]:
    files: list[DefinitionFile] = []
    for name in file.features:
        if name != STANDARD:
            where = _folder(folder, name, definition_plan.BUILTIN)
            files += [read_yaml(path, DefinitionFile) for path in sorted(where.glob("*.yaml"))]
    if STANDARD in file.features:
        written = {definitions.dataset for definitions in files}
        for dataset, contract in contracts.items():
            if dataset not in written:
                hidden = label_fields(file) if dataset == file.population.dataset else set()
                files.append(standard_set(contract, hidden | set(file.exclude)))
    _refuse_labels(file, files)
    return tuple(sorted(files, key=lambda definitions: not definitions.dataset))


def _refuse_labels(file: PortfolioFile, files: list[DefinitionFile]) -> None:
    if not isinstance(file.label, ColumnLabel):
        return
    for definitions in files:
        if definitions.dataset != file.population.dataset:
            continue
        for definition in definitions.features:
            if file.label.field in {definition.column, *definition.where}:
                place = f"feature {definition.name}"
                raise Invalid(
                    "it reads the label.", place=place, remedy="Take the label out of the features."
                )
