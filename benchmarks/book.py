"""How long the night takes: every signal, class, stage and expected loss of a whole book, in memory, and its growth.

The book is made in columns, not by the city: one loan a household, monthly instalments, some late, with records of every dataset
that a signal or a rule of classes reads, each household its share of them. Measured are the values, the signals with their
sentences, the class and stage of each loan with its evidence, twelve months of roll rates, and the loss; not the reading of the
lake nor the writing of the store. ``--model`` adds a warning model's PD of each loan, read from its bundle. The same through
Spark is ``benchmarks.book_spark``.

    python -m benchmarks.book [--quick] [--households N] [--model BUNDLE] [--json]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.city_lake import REST, SHARES, _template
from benchmarks.common import finish
from features.calendar import DAY, NEVER, NULL, instant, month_start
from features.canonical import code_of
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.loans.rows import BOOK
from features.matrix import Missing
from features.timeline.events import EventTable
from features.timeline.scan import STANDS_UNTIL
from serving.classes.judging import Told, judge, nothing_before
from serving.classes.parameters import SHIPPED as CLASSES
from serving.classes.parameters import load_classes
from serving.classes.proposing import rows_of
from serving.watch.book import open_book
from serving.watch.document import SignalsDocument
from serving.watch.evaluate import evaluate
from serving.watch.models import WARNING_SLOT, Models
from serving.watch.signals import SHIPPED as SIGNALS
from serving.watch.signals import load_signals
from serving.watch.values import Reading, Sources, values_of

Int64 = NDArray[np.int64]
NOW = instant("2025-12-01")
WHOLE, QUICK = 134_533, 8_000
SHARE = 0.12
"""Of the records of a person in ``benchmarks.city_lake``: sixty a household."""
TERM = 24


@dataclass(frozen=True)
class Night:
    """What one run took, in seconds, and what it said."""

    loans: int
    signals_s: float
    classes_s: float
    hits: int
    bad: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.signals_s + self.classes_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} households")
    parser.add_argument("--households", type=int, default=WHOLE, help="how many")
    parser.add_argument(
        "--model", type=Path, help="a warning model's bundle, as `yidai train warning` writes it"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households = QUICK if options.quick else options.households
    plan = load_plan([CONTRACTS], [DEFINITIONS])
    signals = load_signals(SIGNALS, (column.name for column in plan.columns))
    night(plan, signals, 200, options.model)  # compiles the kernels
    half, whole = (night(plan, signals, count, options.model) for count in (households // 2, households))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = {
        "households": households, "loans": whole.loans, "seconds": whole.seconds, "signals_s": whole.signals_s,
        "classes_s": whole.classes_s, "hits": whole.hits, "non_performing": whole.bad,
        "growth_2x": whole.seconds / half.seconds, "peak_rss_gb": peak,
    }  # fmt: skip
    sizes = {"households": households, "records_each": int(SHARE * 500), "model": bool(options.model)}
    finish("book", sizes, figures, {}, as_json=options.json)


def night(
    plan: FeaturePlan, signals: SignalsDocument, households: int, model: Path | None, seed: int = 0
) -> Night:
    """One run over a book of so many households; another seed makes another book."""
    document = load_classes(CLASSES)
    models = Models() if model is None else Models.of({WARNING_SLOT: model.read_bytes()}, plan.reasons)
    readings = Reading.of(plan, signals, models), Reading.of(plan, document.reading, models)
    loans = loan_tables(households, seed)
    known = records([one.whole for one in readings], households, seed)
    since = time.perf_counter()
    book = open_book(loans, NOW)
    values = values_of(readings[0], sources(readings[0], loans, known), book, NOW)
    outcome = evaluate(signals, values)
    seen = time.perf_counter()
    standing = book.standing
    assert standing is not None
    rank = np.zeros(len(book.loan), dtype=np.int8)
    for hit in outcome.hits:
        rank[hit.row] = max(rank[hit.row], {"yellow": 1, "orange": 2, "red": 3}[hit.level.value])
    read = values_of(readings[1], sources(readings[1], loans, known), book, NOW)
    told = Told(standing, read, nothing_before(len(rank)), rank)
    judged = judge(document, loans, told, NOW)
    rows = rows_of(judged, told, {code: str(code) for code in book.loan.tolist()}, "0" * 64)
    return Night(
        len(rows), seen - since, time.perf_counter() - seen, len(outcome.hits), int((judged.rank >= 2).sum())
    )


def sources(reading: Reading, loans: Mapping[str, EventTable], known: Mapping[str, EventTable]) -> Sources:
    """What everybody allows, of a lake in which a dataset that nobody made never came."""
    tables = {**known, **loans}
    silent = {name: Missing.NO_RECORD for name in reading.whole.datasets if name not in tables}
    return Sources(loans, tables, None, silent)


def records(plans: Sequence[FeaturePlan], households: int, seed: int = 0) -> dict[str, EventTable]:
    """Records of every dataset of the plans but the book's and views of other people's."""
    generator, found = np.random.default_rng(7 + 2 * seed), {}
    for name in sorted({name for plan in plans for name in plan.datasets if "@" not in name} - set(BOOK)):
        readers = [plan for plan in plans if name in plan.datasets]
        fields = tuple(readers[0].contracts[name].names)
        rows = max(1, int(households * SHARES.get(name, REST) * SHARE))
        lasting = any(name in plan.lasting for plan in readers)
        made = _template(readers[0].contracts[name], fields, rows, households, lasting, generator)
        order = np.lexsort((made["known_from"], made["valid_from"], made["subject"]))
        made = {column: values[order] for column, values in made.items()}
        until, stands = made.get("valid_to", np.full(rows, NEVER)), made[STANDS_UNTIL]
        columns = {field: made[field] for field in fields}
        version = np.zeros(rows, np.int64)
        found[name] = EventTable(
            made["subject"], made["valid_from"], until, made["known_from"], stands, version, columns
        )
    return found


def loan_tables(households: int, seed: int = 0) -> dict[str, EventTable]:
    """One loan a household, drawn in the last two years; one in twenty stops paying, one in ten is late now and then."""
    generator = np.random.default_rng(5 + 2 * seed)
    loan = np.arange(households)
    month = generator.integers(0, TERM, households)
    start = (
        month_start(np.int64((2025 - 1970) * 12 + 10) - month) + generator.integers(0, 28, households) * DAY
    )
    principal = generator.integers(10, 300, households) * 100_000
    plain = dict.fromkeys(("ended_at", "application_id"), np.full(households, NULL))
    columns = {
        **plain, "loan_id": loan, "granted_at": start, "drawn_at": start, "due_on": start + TERM * 31 * DAY, "principal": principal,
        "annual_rate_ppm": np.full(households, 60_000), "term_months": np.full(households, TERM),
        "state": np.full(households, code_of("active")),
    }  # fmt: skip
    number = np.tile(np.arange(1, TERM + 1), households)
    of = np.repeat(loan, TERM)
    due = start[of] + number * 30 * DAY
    amount = principal[of] // TERM + 1_000
    amount += np.where(number == TERM, principal[of] % TERM, 0)
    stops = np.where(generator.random(households) < 0.05, generator.integers(1, TERM, households), TERM)
    late = np.where(generator.random(len(of)) < 0.02, generator.integers(1, 40, len(of)), -1) * DAY
    paid = (number <= stops[of]) & (due + late < NOW)
    lines = {"loan_id": of, "number": number, "due_on": due, "due_amount": amount}
    payments = {
        "loan_id": of[paid],
        "number": number[paid],
        "paid_at": (due + late)[paid],
        "amount": amount[paid],
    }
    payments["days_late"] = np.maximum(late[paid] // DAY, 0)
    return {
        "loan": _table(loan, start, columns), "loan_instalment": _table(of, start[of], lines),
        "loan_payment": _table(of[paid], (due + late)[paid], payments),
    }  # fmt: skip


def _table(subject: Int64, at: Int64, columns: Mapping[str, Int64]) -> EventTable:
    order = np.lexsort((at, subject))
    never, zero = np.full(len(subject), NEVER), np.zeros(len(subject), np.int64)
    return EventTable(subject, at, never, at, never, zero, columns).take(order)


if __name__ == "__main__":
    main()
