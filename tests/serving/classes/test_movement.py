"""Provisions add up to the fen, whatever happened in the month."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from serving.classes.document import CLASSES
from serving.classes.movement import Provided, movement, provisions


@st.composite
def loans(draw):
    """Loans of a month."""
    names = draw(st.sets(st.sampled_from("ABCDEFGH")))
    found = []
    for name in sorted(names):
        left = draw(st.sampled_from(["", "", "", "written_off", "repaid"]))
        balance = 0 if left else draw(st.integers(1, 10**12))
        ecl = draw(st.integers(0, balance))
        found.append(
            Provided(name, draw(st.sampled_from(CLASSES)), draw(st.integers(1, 3)), balance, ecl, left)
        )
    return found


@given(loans(), loans())
def test_every_stage_goes_from_its_opening_to_its_closing(now, then) -> None:
    found = movement(now, then)
    for one in found:
        parts = msgspec.structs.asdict(one)
        stage, closing = parts.pop("stage"), parts.pop("closing")
        assert sum(parts.values()) == closing
        assert closing == sum(each.ecl_fen for each in now if each.stage == stage)
        assert one.opening == sum(e.ecl_fen for e in then if e.stage == stage and not e.left)
    assert sum(one.moved_in + one.moved_out for one in found) == 0


@given(loans(), loans())
def test_classes_and_stages_add_to_the_whole(now, then) -> None:
    found = provisions("2024-08", now, "2024-07", then, 0)
    for parts in (found.classes, found.stages):
        assert sum(each.ecl_fen for each in parts) == found.total.ecl_fen
        assert sum(each.balance_fen for each in parts) == found.total.balance_fen
        assert sum(each.loans for each in parts) == found.total.loans == len([e for e in now if not e.left])
    assert sum(each.closing for each in found.movement) == found.total.ecl_fen


def test_what_becomes_of_five_loans() -> None:
    normal, mention, bad = CLASSES[:3]
    then = [Provided("A", normal, 1, 1000, 10), Provided("B", normal, 1, 1000, 20), Provided("C", bad, 3, 500, 250),
            Provided("D", normal, 1, 300, 3)]  # fmt: skip
    now = [Provided("A", normal, 1, 900, 9), Provided("B", mention, 2, 1000, 80), Provided("C", bad, 3, 0, 0, "written_off"),
           Provided("E", normal, 1, 700, 7)]  # fmt: skip
    found = provisions("2024-08", now, "2024-07", then, 4)
    one, two, three = (msgspec.structs.astuple(each) for each in found.movement)
    assert one == (1, 33, 7, 0, -20, -1, 0, -3, 16)
    assert two == (2, 0, 0, 20, 0, 60, 0, 0, 80)
    assert three == (3, 250, 0, 0, 0, 0, -250, 0, 0)
    assert (found.total.coverage, found.npl_ratio, found.npl_coverage) == (round(96 / 2600, 6), 0.0, None)


def test_without_a_month_before_nothing_moved() -> None:
    assert provisions("2024-08", [], None, [], 0).movement == ()
