"""Every parser of what others wrote: how it is called, and a good example to begin spoiling from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from features.calendar import instant
from features.canonical import canonical_bytes
from features.catalogue.load import BUILTIN as CATALOGUE
from features.catalogue.load import load_catalogue
from features.contracts.documents import parse_yaml, read_yaml
from features.contracts.load import BUILTIN as CONTRACTS
from features.contracts.load import load_contract, load_contracts
from features.definitions.model import DefinitionFile, PlanDocument
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan
from features.pairs import read_pairs
from features.timeline.packed import unpack
from features.timeline.text import read_text
from serving.batch.lines import read_lines as batch_lines
from serving.cases.receipt import read as read_person
from serving.classes.parameters import SHIPPED as CLASSES
from serving.classes.parameters import load_classes, read_classes
from serving.decisions.receipt import read_receipt
from serving.decisions.schemas import read_request
from serving.experiments.reading import outcomes_of
from serving.grants.reading import COLUMNS, read_applicants
from serving.log.checkpoint import read_file
from serving.policy.lists import read_list
from serving.policy.load import draft, draft_from_yaml, read_policy
from serving.records.lines import read_lines
from serving.registry import documents
from serving.settings import Settings
from serving.sources.model import read_sources
from serving.store.keys import KeyFile
from serving.watch.signals import SHIPPED as SIGNALS
from serving.watch.signals import load_signals, read_signals
from tests.architecture.test_guards import ROOT
from training.actions import read_actions
from training.bundle import load_bundle
from training.gates import PROMOTION, load_gates
from training.limits import SHIPPED as LIMITS
from training.limits import load_limits
from training.overrides import read_overrides
from training.portfolio import load_portfolio
from training.promotion import read_evidence
from training.regimes import SHIPPED as REGIMES
from training.regimes import load_regimes

CITY = ROOT / "training/portfolios/city"
ALL = load_contracts([CONTRACTS])
ONE = DEFINITIONS / "administrative_penalty.yaml"


def plan_of(file: Path) -> FeaturePlan:
    """The plan of one file of definitions."""
    return FeaturePlan(PlanDocument(1, (ALL["administrative_penalty"],), (read_yaml(file, DefinitionFile),)))


PLAN = plan_of(ONE)
NAMES = [column.name for column in PLAN.columns]


@dataclass(frozen=True, slots=True)
class Parser:
    """``read`` is given bytes, and a file that holds them; ``seed`` is a good example."""

    read: Callable[[bytes, Path], object]
    seed: bytes


def of_file(read: Callable[[Path], object], seed: Path | bytes) -> Parser:
    """A parser of a file."""
    return Parser(lambda _, file: read(file), seed if isinstance(seed, bytes) else seed.read_bytes())


def of_bytes(read: Callable[[bytes], object], seed: Path | bytes | object) -> Parser:
    """A parser of bytes; a seed that is neither file nor bytes is written canonically."""
    data = (
        seed.read_bytes()
        if isinstance(seed, Path)
        else seed
        if isinstance(seed, bytes)
        else canonical_bytes(seed)
    )
    return Parser(lambda given, _: read(given), data)


def few(file: Path, name: str) -> bytes:
    """A document with the first entries of its list only."""
    tree = parse_yaml(file)
    return canonical_bytes({"schema": 1, name: tree[name][:2]})


def all_of(found: Iterable[object]) -> list[object]:
    """What a generator yields."""
    return list(found)


LIST = {
    "schema": 1, "list": "known", "kind": "allow", "title": {"zh": "名单", "en": "list"}, "source": "house",
    "entries": [{"subject": "0" * 64, "effective_from": "2026-01-01", "effective_to": "2026-06-01"}],
}  # fmt: skip
APPLICATION = {
    "applicant": {"id_number": "11010519491231002X"}, "consent_id": "01a20eae-f055-7415-a827-f83c4643b11d",
    "product": "consumer", "amount_yuan": "30000", "term_months": 12, "purpose": "farming", "region": "county",
    "checks": {"identity": "passed", "aml": "clear"},
}  # fmt: skip
RECORD = {"id_number": "11010519491231002X", "recorded_on": "2026-01-02", "sex": "female"}
OVERRIDES = {
    "schema": 1, "since": 0, "until": 1, "decisions": 1, "reviewed": 1, "referred": 0, "overrides": 0, "lines": [],
}  # fmt: skip
PERSON = dict.fromkeys(("kind", "engine", "decision_id", "tenant", "case_id", "origin", "outcome"), "") | {
    "schema": 1
}
CHECKPOINT = b"yidai/city\n3\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 yidai/city " + b"A" * 91 + b"=\n"
GOLDEN = ROOT / "tests/serving/decisions/golden"
SOURCES = b"schema: 1\nsources:\n  - {source: bureau_x, dataset: bureau_account, adapter: http, url: 'https://x.example/'}\n"


def _settings(data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    return [
        Settings.load({f"YIDAI_{name}": text})
        for name in ("PORT", "AS_OF", "SOURCES_DOWN", "TENANT_RATE", "LOG_FORMAT")
    ]


PARSERS: dict[str, Parser] = {
    "contract (YAML)": of_file(load_contract, CONTRACTS / "tax_filing.yaml"),
    "definitions (YAML)": of_file(plan_of, ONE),
    "departments (YAML)": of_file(lambda file: load_catalogue(ALL, file), CATALOGUE),
    "policy (YAML)": of_file(draft_from_yaml, ROOT / "serving/policy/housing.yaml"),
    "signals (YAML)": of_file(lambda file: load_signals(file, NAMES), few(SIGNALS, "signals")),
    "classes (YAML)": of_file(load_classes, CLASSES),
    "portfolio (YAML)": of_file(load_portfolio, ROOT / "training/portfolios/gmsc/portfolio.yaml"),
    "actions (YAML)": of_file(lambda file: read_actions(file, PLAN.columns), CITY / "actions.yaml"),
    "gates (YAML)": of_file(load_gates, PROMOTION),
    "limits of models in use (YAML)": of_file(load_limits, LIMITS),
    "regimes (YAML)": of_file(load_regimes, REGIMES),
    "declared sources (YAML)": of_file(lambda file: read_sources(file, set(ALL), {"http"}), SOURCES),
    **{
        f"{kind.value} (YAML)": of_file(lambda file, kind=kind: documents.from_file(kind, file), sort.shipped)  # type: ignore[misc]
        for kind, sort in documents.SORTS.items()
    },
    "definitions (registry)": of_bytes(FeaturePlan.load, PLAN.document),
    "policy (registry)": of_bytes(draft, ROOT / "tests/serving/policy/golden/policy_1.json"),
    "policy that was approved (registry)": of_bytes(
        read_policy, ROOT / "tests/serving/policy/golden/policy_1.json"
    ),
    "signals (registry)": of_bytes(read_signals, ROOT / "tests/serving/watch/golden/signals_1.json"),
    "classes (registry)": of_bytes(read_classes, parse_yaml(CLASSES)),
    "list (registry)": of_bytes(read_list, LIST),
    **{
        f"{kind.value} (registry)": of_bytes(
            lambda data, kind=kind: documents.read(kind, data), documents.from_file(kind, sort.shipped)
        )  # type: ignore[misc]
        for kind, sort in documents.SORTS.items()
    },
    "bundle (JSON)": of_bytes(load_bundle, ROOT / "tests/training/golden/bundle_1.json"),
    "receipt (JSON)": of_bytes(read_receipt, GOLDEN / "receipt_4.json"),
    "folded receipt (JSON)": of_bytes(read_receipt, GOLDEN / "receipt_5.json"),
    "person's receipt (JSON)": of_bytes(read_person, PERSON),
    "evidence of a model (JSON)": of_bytes(
        lambda data: read_evidence("comparison", data), {"bundle": "", "champion": ""}
    ),
    "override statistics (JSON)": of_file(read_overrides, canonical_bytes(OVERRIDES)),
    "application (JSON)": of_bytes(read_request, APPLICATION),
    "applications of a batch (NDJSON)": of_bytes(
        lambda data: all_of(batch_lines(iter(data.split(b"\n")))),
        canonical_bytes({**APPLICATION, "idempotency_key": "1"}),
    ),
    "records (NDJSON)": of_bytes(lambda data: read_lines(ALL["fairness_attributes"], data, "body"), RECORD),
    "feed (CSV)": of_file(read_text, b'id_number,recorded_on\n1,2026-01-02\n"a,b",2\n'),
    "applicants (CSV)": of_file(
        lambda file: all_of(read_applicants(file)), (",".join(COLUMNS) + "\n1,2,3\n").encode()
    ),
    "subjects and moments (CSV)": of_file(read_pairs, b"subject,as_of\n1,2026-01-02\n"),
    "outcomes of an experiment (CSV)": of_file(
        outcomes_of, b"decision_id,bad\n01a20eae-f055-7415-a827-f83c4643b11d,1\n"
    ),
    "checkpoint (note)": of_file(read_file, CHECKPOINT),
    "key file": of_file(KeyFile.read, b"00" * 32 + b"\nmaster " + b"11" * 32 + b"\n"),
    "settings": of_bytes(_settings, b"8100"),
    "moment": of_bytes(lambda data: instant(data.decode("utf-8", "replace")), b"2026-01-02T03:04:05+08:00"),
    "packed timeline": of_bytes(unpack, b"\x95\xa1a\xa1b\xa1c\x00\x90"),
}
"""By what they are called in the table. Fields of forms and bodies of routes are tried against the running processes:
``tests/serving/test_hostile.py``, ``tests/serving/test_schema.py``, ``tests/serving/console/test_guard.py``. A text model of
LightGBM is read by LightGBM itself, whose C++ is not ours to spoil."""
