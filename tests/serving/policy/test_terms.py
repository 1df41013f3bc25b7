"""The rows that are kept for a case are those of its day, in whatever order days are asked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.policy.load import CITY, policy_from_yaml
from serving.policy.terms import NoRow, ReadyTables, ready_tables

DOCUMENT = policy_from_yaml(CITY).document


def fresh() -> ReadyTables:
    """Tables that keep nothing yet."""
    made = ready_tables(DOCUMENT)
    assert made is not None
    return made


KEPT = fresh()
EDGES = sorted({day for table in (KEPT.prices, KEPT.rate_caps, KEPT.cutoffs) for day in table.edges[-1]})
DAYS = st.builds(lambda edge, more: edge + more, st.sampled_from(EDGES), st.integers(-2, 2)) | st.integers(
    0, 30_000
)


@given(
    st.sampled_from(sorted(KEPT.products)), st.sampled_from(sorted(KEPT.segments)), st.integers(1, 10), DAYS
)
@settings(deadline=None, max_examples=300)
def test_days_share_rows_only_where_no_row_begins_or_ends_between_them(product, segment, grade, day) -> None:
    def asked(tables: ReadyTables):
        try:
            return tables.terms(product, segment, grade, 12, day)
        except NoRow as error:
            return error.place, error.message

    assert asked(KEPT) == asked(fresh())
