"""A lake of any number of records of thirty datasets, as the departments of a city of millions would fill it.

Records are drawn once for a bucket of 65,536 people and written for every bucket under its own subjects, because
drawing billions of numbers is not what is measured. Each dataset has its share of a person's records over five
years; values have the repetition of real ones (months, codes, amounts in steps), which is what makes columnar
files small.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.calendar import DAY, NEVER, instant
from features.canonical import canonical_bytes, code_of, digest
from features.contracts.load import BUILTIN as CONTRACTS
from features.contracts.model import Contract, Field, FieldType
from features.definitions.model import DefinitionFile, PlanDocument
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.timeline.lake import BUCKET_BITS
from features.timeline.scan import SEEN, STANDS_UNTIL
from features.timeline.segments import Merged, put_table, swap

Int64 = NDArray[np.int64]
BEGIN = instant("2021-01-01")
DAYS = 1800
PEOPLE = 1 << BUCKET_BITS
RECORDS_EACH = 502
"""Records of a person: 2,511,664,152 of five million people."""
SHARES = {
    "bank_transaction": 190, "electricity": 60, "water": 45, "gas": 25, "telecom_payment": 50, "social_insurance": 30,
    "medical_insurance_payment": 36, "provident_fund": 15, "tax_filing": 12, "bureau_repayment": 20,
    "bureau_enquiry": 4, "loan_payment": 4, "farm_subsidy": 4,
}  # fmt: skip
REST = 0.4
"""Records of a person in each of the other datasets."""
MONTHLY = {"electricity", "water", "gas", "telecom_payment", "social_insurance", "medical_insurance_payment",
           "provident_fund", "tax_filing", "bureau_repayment"}  # fmt: skip


def city_plan() -> FeaturePlan:
    """The shipped features that need no view of other people's records."""
    whole = load_plan([CONTRACTS], [DEFINITIONS])
    document = msgspec.json.decode(whole.document, type=PlanDocument)
    kept, names = [], set()
    for file in document.definitions:
        if "@" in file.dataset or file.dataset == "request":
            continue
        features = tuple(f for f in file.features if all(part in names for part in f.of))
        names |= {name for f in features for name in _columns(f.name, f.windows)}
        kept.append(msgspec.structs.replace(file, features=features))
    return FeaturePlan(PlanDocument(1, document.contracts, tuple(_with_reasons(document, kept))))


def _columns(name: str, windows: tuple[str, ...]) -> list[str]:
    return [name if window in {"all", "now"} else f"{name}_{window}" for window in windows]


def _with_reasons(document: PlanDocument, kept: list[DefinitionFile]) -> list[DefinitionFile]:
    reasons = {code: text for file in document.definitions for code, text in file.reasons.items()}
    return [msgspec.structs.replace(kept[0], reasons=reasons), *kept[1:]]


def buckets_for(records: int) -> int:
    """How many buckets hold so many records."""
    return max(2, -(-records // (PEOPLE * RECORDS_EACH)))


def make_city_lake(
    root: Path, plan: FeaturePlan, records: int, told: Callable[[int, int], None]
) -> tuple[int, int]:
    """Write the lake, or what is missing of it; returns its buckets and the people of each."""
    buckets = buckets_for(records)
    people = min(PEOPLE, max(50, records // buckets // RECORDS_EACH))
    shape = digest(
        canonical_bytes({name: [*plan.fields[name], name in plan.lasting] for name in plan.datasets})
    )
    begun, marker = root / f"of-{records}-{shape[:12]}", root / f"made-{records}-{shape[:12]}"
    if not marker.exists():
        if not begun.exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir(parents=True)
            begun.touch()
        _write(root, plan, records, buckets, people, told)
        marker.touch()
    return buckets, people


def _write(
    root: Path, plan: FeaturePlan, records: int, buckets: int, people: int, told: Callable[[int, int], None]
) -> None:
    counts = _counts(plan, records // buckets)
    generator = np.random.default_rng(20)
    templates = {
        name: _template(
            plan.contracts[name], plan.fields[name], rows, people, name in plan.lasting, generator
        )
        for name, rows in counts.items()
    }

    def one(bucket: int) -> None:
        mark = root / f"part-{bucket:05d}"
        if mark.exists():
            return
        for name, columns in templates.items():
            extra = int(name == "bank_transaction" and bucket < records % buckets)
            _put(root / name / f"{bucket:05d}", bucket, columns, extra)
        mark.touch()

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(one, range(buckets)), start=1):
            told(done, buckets)


def _counts(plan: FeaturePlan, records: int) -> dict[str, int]:
    shares = {name: SHARES.get(name, REST) for name in plan.datasets}
    total = sum(shares.values())
    counts = {name: int(records * share / total) for name, share in shares.items()}
    counts["bank_transaction"] += records - sum(counts.values())
    return counts


def _template(
    contract: Contract, fields: tuple[str, ...], rows: int, people: int, lasting: bool, generator: np.random.Generator  # noqa: FBT001
) -> dict[str, Int64]:  # fmt: skip
    each = np.bincount(generator.integers(0, people, rows), minlength=people)
    subject = np.repeat(np.arange(people), each)
    place = np.arange(rows) - np.repeat(np.cumsum(each) - each, each)
    share = (place + generator.random(rows)) / each[subject]
    step = 30 if contract.dataset in MONTHLY else 1
    valid_from = BEGIN + (share * (DAYS // step)).astype(np.int64) * step * DAY
    columns = {
        "subject": subject, "valid_from": valid_from,
        "known_from": valid_from + generator.integers(1, 6, rows) * (step // 6 + 1) * DAY,
        STANDS_UNTIL: np.full(rows, NEVER),
    }  # fmt: skip
    if lasting:
        columns["valid_to"] = np.where(generator.random(rows) < 0.6, NEVER, valid_from + 400 * DAY)
    for name in fields:
        if name not in columns:
            columns[name] = _values(contract.field(name), rows, valid_from, generator)
    return columns


def _values(field: Field, rows: int, valid_from: Int64, generator: np.random.Generator) -> Int64:
    if field.codes:
        codes = np.array([code_of(text) for text in field.codes])
        return codes[generator.integers(0, len(codes), rows)]
    if field.type is FieldType.ID:
        return np.array([code_of(f"id{k}") for k in range(400)])[generator.integers(0, 400, rows)]
    if field.type is FieldType.BOOLEAN:
        return (generator.random(rows) < 0.9).astype(np.int64)
    if field.type is FieldType.MONEY:
        return generator.integers(1, 2_000, rows) * 5_000
    if field.type in {FieldType.DATE, FieldType.MONTH, FieldType.INSTANT}:
        return valid_from + generator.integers(100, 2_000, rows) * DAY
    top = int(min(field.max if field.max is not None else 60, 60) * field.divisor)
    return generator.integers(0, max(top, 2), rows)


def _put(folder: Path, bucket: int, columns: dict[str, Int64], extra: int) -> None:
    arrays = {name: np.append(v, v[-1:]) if extra else v for name, v in columns.items()}
    arrays["subject"] = arrays["subject"] + (bucket << BUCKET_BITS)
    put_table(folder / "c000000000001.parquet", pa.table(arrays).replace_schema_metadata({SEEN: b"1,0"}))
    swap(folder, Merged("c000000000001.parquet", ()))
