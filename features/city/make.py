"""A sample city on disk: feeds as the departments would send them and, apart, the truth."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.city.book import Applications, MonthlyRisk, draw_book
from features.city.feeds import Writer
from features.city.filter import BookRecords, Filter
from features.city.latent import attributes, emit, live
from features.city.parameters import BEYOND, START, WARM_UP, Economy, economy, regimes
from features.terminal import Step

MALFORMED = 0.001
"""Share of the lines of the feeds named here whose number is wrong."""
_MANGLED = ("social_insurance", "electricity")


@dataclasses.dataclass(frozen=True, slots=True)
class CitySummary:
    """What was made."""

    households: int
    months: int
    rows: int
    applications: int
    approved: int
    bad_rate: float

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.households:,} households, {self.months} months, {self.rows:,} records, {self.applications:,} "
            f"applications of which {self.approved:,} approved; {self.bad_rate:.1%} of all applicants would default"
        )


def make_city(
    folder: Path,
    *,
    households: int,
    months: int,
    seed: int,
    shifted: bool = False,
    progress: Step | None = None,
) -> CitySummary:
    """Write a city; ``months`` are those with applications, after ``WARM_UP`` months of records only.

    Equal arguments give equal bytes. ``city.json`` is written last: a folder without it is half written.
    """
    total = WARM_UP + months
    plain, regime = economy(shifted=shifted), regimes(total + BEYOND, shifted=shifted)
    seeds = [np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(5)]
    lives = live(plain, regime, households, seeds[0])
    known = attributes(plain, lives, seeds[1])
    emitted = emit(plain, lives, total, seeds[2])
    book = BookRecords.blank(lives.fraud, total)
    hmm = Filter(plain, regime, known, emitted, book)
    applications, monthly = draw_book(
        plain, regime, lives, known, emitted, hmm, book, total, seeds[3], progress
    )
    writer = Writer(lives, known, emitted, total, seeds[4])
    (folder / "city.json").unlink(missing_ok=True)
    rows = _write_feeds(folder, writer.feeds(applications), seeds[4], progress)
    _write_truth(folder, writer, applications, monthly)
    _write_last(folder, plain, households, months, seed, shifted=shifted, last=int(writer.starts[total]))
    approved = int(applications.approved.sum())
    return CitySummary(
        households, total, rows, len(applications.person), approved, float(applications.bad.mean())
    )


def _write_feeds(
    folder: Path, feeds: Mapping[str, Mapping[str, Any]], g: np.random.Generator, progress: Step | None
) -> int:
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "truth").mkdir(exist_ok=True)
    rows, wrong = 0, []
    for done, (name, columns) in enumerate(feeds.items()):
        if progress:
            progress(name, done, len(feeds))
        table = pa.table({key: pa.array(column) for key, column in columns.items()})
        if name in _MANGLED:
            table, lines = _mangle(table, g)
            wrong += [{"dataset": name, "line": line} for line in lines]
        _replace(folder / "feeds" / f"{name}.csv", table)
        rows += table.num_rows
    pq.write_table(
        pa.Table.from_pylist(wrong, pa.schema([("dataset", pa.string()), ("line", pa.int64())])),
        folder / "truth" / "malformed.parquet",
    )
    return rows


def _mangle(table: pa.Table, g: np.random.Generator) -> tuple[pa.Table, list[int]]:
    """Give a few rows a wrong check digit, beside the right row, so that nothing true is lost."""
    chosen = np.flatnonzero(g.random(table.num_rows) < MALFORMED)
    bad = table.take(pa.array(chosen))
    numbers = [f"{text[:17]}{'X' if text[17] != 'X' else '0'}" for text in bad["id_number"].to_pylist()]
    bad = bad.set_column(bad.column_names.index("id_number"), "id_number", pa.array(numbers, pa.string()))
    start = table.num_rows + 2
    return pa.concat_tables([table, bad]), list(range(start, start + len(numbers)))


def _write_truth(folder: Path, writer: Writer, a: Applications, monthly: MonthlyRisk) -> None:
    columns: dict[str, Any] = {field.name: getattr(a, field.name) for field in dataclasses.fields(a)}
    columns["application_id"] = [f"APP{place:08}" for place in range(len(a.person))]
    pq.write_table(pa.table(writer.paper_truth), folder / "truth" / "paper.parquet")
    columns["id_number"] = writer.people.heads[a.person]
    columns["fraud"] = writer.lives.fraud[a.person]
    pq.write_table(pa.table(columns), folder / "truth" / "applications.parquet")
    person, month = (array.ravel() for array in np.indices(monthly.true.shape))
    lives = writer.lives
    table = {
        "id_number": writer.people.heads[person], "month": month + WARM_UP, "state": lives.state[person, month + WARM_UP],
        "type": lives.kind[person], "fraud": lives.fraud[person],
        "filter_risk": monthly.filtered.ravel(), "true_risk": monthly.true.ravel(),
    }  # fmt: skip
    pq.write_table(pa.table(table), folder / "truth" / "months.parquet")


def _write_last(
    folder: Path, plain: Economy, households: int, months: int, seed: int, *, shifted: bool, last: int
) -> None:
    about = {
        "schema": 1, "households": households, "months": months, "warm_up": WARM_UP, "seed": seed,
        "shifted": shifted, "start": START, "ends_at": last,
        "economy": json.loads(json.dumps(dataclasses.asdict(plain), default=lambda value: value.tolist())),
    }  # fmt: skip
    draft = folder / "city.json.tmp"
    draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
    draft.rename(folder / "city.json")


def _replace(path: Path, table: pa.Table) -> None:
    draft = path.with_suffix(".tmp")
    pa_csv.write_csv(table, draft, pa_csv.WriteOptions(quoting_style="none"))
    draft.rename(path)
