"""Rows a second that a feed takes into the lake: read, validated, pseudonymised, stored durably.

Each dataset of a city is loaded as ``yidai ingest`` does it, into a lake of its own, with a vault in memory (the
store's own encrypts each new number besides). The peers only read or check, and keep nothing: pandera under a schema
that demands no more than the contract (types, ranges, codes, what is required, the form of numbers and dates; not
check digits, calendars, corrections or known times), and plain ``read_csv`` of pandas and pyarrow. Ratios are their
time over ours, for all files together. Everything runs on one thread.

    make peers
    python -m benchmarks.ingest [--quick] [--json] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import finish
from benchmarks.features_vs_peers import PEERS, SCRIPTS, _run
from features.city.make import make_city
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract, Field, FieldType, SubjectKind
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake

_NUMBER = {FieldType.MONEY, FieldType.INTEGER, FieldType.DECIMAL}
_ID = r"^\d{17}[\dX]$|^\d{15}$"
_USCC = r"^[0-9A-HJ-NPQRTUWXY]{18}$"
_FORMS = {
    FieldType.MONTH: r"^\d{4}-(0[1-9]|1[0-2])$", FieldType.DATE: r"^\d{4}-\d\d-\d\d$",
    FieldType.INSTANT: r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\+08:00|Z)?$", FieldType.BOOLEAN: r"^([01]|true|false)$",
    FieldType.ID_NUMBER: _ID, FieldType.USCC: _USCC,
}  # fmt: skip


def a_city(data: Path, households: int) -> dict[str, Path]:
    """The feeds of a city by dataset, made once."""
    folder = data / f"city-{households}"
    if not (folder / "city.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        make_city(folder, households=households, months=36, seed=2)
    return {path.name.split(".", 1)[0]: path for path in sorted((folder / "feeds").glob("*.csv"))}


def ours(path: Path, contract: Contract, repetitions: int) -> tuple[int, float]:
    """Rows, and the least seconds in which they were loaded."""
    found = []
    for _ in range(repetitions):
        with TemporaryDirectory(dir=path.parents[2]) as scratch:
            feeds = Path(scratch) / "feeds-of-one"
            feeds.mkdir()
            (feeds / path.name).symlink_to(path.resolve())
            start = time.perf_counter()
            report = ingest_folder(
                feeds, {contract.dataset: contract}, MemoryVault(), Lake(Path(scratch) / "lake")
            )
            found.append((report.files[0].rows, time.perf_counter() - start))
    return min(found, key=lambda one: one[1])


def schema_of(contract: Contract, path: Path) -> dict[str, object]:
    """The contract's demands for pandera."""
    forms = {SubjectKind.PERSON: _ID, SubjectKind.LEGAL_PERSON: _USCC}
    subject = {
        "name": contract.subject_field, "kind": "text", "required": True, "min": None, "max": None, "codes": [],
        "pattern": forms.get(contract.subject, ""),
    }  # fmt: skip
    return {"path": str(path.resolve()), "columns": [subject, *(_column(field) for field in contract.fields)]}


def _column(field: Field) -> dict[str, object]:
    number = field.type in _NUMBER
    special = bool(field.special_codes)
    return {
        "name": field.name, "kind": "number" if number else "text", "required": field.required,
        "min": field.min if number and not special else None, "max": field.max if number and not special else None,
        "codes": list(field.codes), "pattern": _FORMS.get(field.type, "") if not field.format else "",
    }  # fmt: skip


def theirs(data: Path, specs: list[dict[str, object]]) -> dict[str, float]:
    """Seconds of each peer over all files."""
    path = data / "schemas.json"
    path.write_text(json.dumps(specs))
    told = _run([PEERS, SCRIPTS / "pandera_check.py", path])
    totals: dict[str, float] = {}
    for each in told.values():
        for name, seconds in dict(each).items():  # type: ignore[call-overload]
            totals[name] = totals.get(name, 0.0) + seconds
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="Within a minute: a city of 300 households.")
    parser.add_argument("--json", action="store_true", help="Print one line of JSON at the end.")
    parser.add_argument("--data", type=Path, default=Path(".yidai/benchmarks"), help="Folder of the city.")
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    households = 300 if arguments.quick else 2_000
    contracts, feeds = load_contracts([BUILTIN]), a_city(arguments.data, households)
    figures, rows, seconds = {}, 0, 0.0
    for dataset, path in feeds.items():
        count, took = ours(path, contracts[dataset], 2 if arguments.quick else 3)
        figures[f"rows_per_s.{dataset}"] = count / took
        rows, seconds = rows + count, seconds + took
    figures["rows_per_s"] = rows / seconds
    ratios = {}
    if PEERS.exists():
        peers = theirs(arguments.data, [schema_of(contracts[name], path) for name, path in feeds.items()])
        ratios = {
            "pandera": peers["pandera"] / seconds, "read_csv": peers["pandas"] / seconds,
            "read_csv_pyarrow": peers["pyarrow"] / seconds,
        }  # fmt: skip
    else:
        print("pandera and read_csv are left out: make peers")
    sizes = {
        "households": households, "datasets": len(feeds), "rows": rows, "load_average": os.getloadavg()[0]
    }  # fmt: skip
    finish("ingest", sizes, figures, ratios, as_json=arguments.json)


if __name__ == "__main__":
    main()
