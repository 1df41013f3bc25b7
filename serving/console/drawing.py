"""What the console alone draws, in the words of the page. The drawing library is loaded by the first picture, not by the process."""

from __future__ import annotations

from collections.abc import Sequence


def load() -> None:
    """Load the drawing library, which takes seconds, so that the first who looks does not wait for it."""
    import training.charts  # noqa: F401, PLC0415


def sources(months: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]], title: str) -> str:
    """Records by source and month as a field: the more the darker."""
    from training.charts import field_chart  # noqa: PLC0415 - seconds

    return field_chart(months, rows, title)
