"""What a notebook shows, as markup: a source, a scorecard's column, the gates. No logic of a model is here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from features.calendar import month_index, month_text
from features.contracts.model import Contract
from features.timeline.door import Door
from training.bundle import FIXED, Bundle
from training.charts import points_chart, volume_chart
from training.promotion import Standing
from training.review import Review
from training.review_page import review_sections
from training.tables import table


class Shown:
    """Markup that a notebook draws by itself."""

    def __init__(self, markup: str) -> None:
        self.markup = markup

    def _repr_html_(self) -> str:
        return self.markup


def fields_of(contract: Contract) -> Shown:
    """A contract's fields: type, unit, codes, what they say."""
    lines = [
        (
            field.name,
            field.type.value,
            field.unit or "",
            ", ".join(map(str, field.codes or ())),
            field.en,
            field.zh,
        )
        for field in contract.fields
    ]
    return Shown(table(("field", "type", "unit", "codes", "says", ""), lines, 6))


def volume_of(door: Door, contract: Contract) -> Shown:
    """Records a month of a source, by when they were true; the read is logged.

    Raises:
        NotAllowed: the door's purpose may not read it.
    """
    name = contract.dataset
    table = door.whole({name: contract}, (), needed=[name]).tables[name]
    months, counts = np.unique(month_index(table.valid_from), return_counts=True)
    texts = [month_text(int(m)) for m in months]
    return Shown(volume_chart(texts, counts.tolist()))


def rows_of(names: Sequence[str], lines: Iterable[Sequence[object]]) -> Shown:
    """Any small table."""
    return Shown(table(names, lines, 1))


def column_of(bundle: Bundle, name: str) -> Shown:
    """What each bin of a scorecard's column adds, in logits: edges from ... on, then no record."""
    place = next(k for k, column in enumerate(bundle.columns) if column.name == name)
    bins = bundle.bins[place]
    names = [f"from {edge:.6g}" for edge in bins.edges]
    points = [*bins.points, bins.no_record, *bins.code_points]
    shown = ["lowest", *names, "no record", *(f"code {code:.6g}" for code in bins.codes)]
    caption = f"<p><b>{escape(bundle.columns[place].en)}</b> {escape(bundle.columns[place].zh)}</p>"
    return Shown(caption + points_chart(shown, [value / FIXED for value in points]))


def gates_of(standings: Iterable[Standing]) -> Shown:
    """How a version stands at each gate."""
    lines = [("met" if s.met else "MISSED", s.gate.value, s.figure, s.limit, "" if s.met else s.remedy) for s in standings]  # fmt: skip
    return Shown(table(("", "gate", "figure", "limit", "remedy"), lines, 5))


def review_of(review: Review) -> Shown:
    """Drift, segments, reasons and changes of the world."""
    return Shown(review_sections(review))
