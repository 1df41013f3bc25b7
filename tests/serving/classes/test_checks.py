"""What is wrong with a document of classes is told with its place, and such a document is never used."""

from __future__ import annotations

import pytest

from features.canonical import canonical_bytes
from features.errors import Integrity
from serving.classes.checks import findings
from serving.classes.parameters import SHIPPED, BrokenClasses, check_classes, load_classes, read_classes
from serving.watch.signals import own_columns
from tests.serving.classes.rows import DOCUMENT, changed
from tests.serving.world import PLAN

FEATURES = [*(column.name for column in PLAN.columns), *own_columns(DOCUMENT.reading)]
LOSS, SEGMENT = ("losses", 0), ("losses", 0, "segments", 0)
BROKEN = [
    (("schema",), 9, "schema 9 is not known"),
    (("classes", 2, "all", 0, "value"), 80, "do not rise"),
    (("classes", 3, "all", 0, "value"), 270, "do not rise"),
    (("classes", 1, "all"), [], "would hit every loan"),
    (("classes", 1, "rule"), "law", "no id of a rule"),
    (("classes", 1, "at_least"), "normal", "at least normal"),
    (("classes", 1, "at_least"), "doubtful", "leads to rank 2"),
    (("classes", 1, "code"), "overdue", "two of it hold on one day"),
    (("classes", 1, "effective_to"), "2027-02-30", "its dates are none"),
    (("classes", 1, "effective_to"), "2027-01-01", "leads to rank 2"),
    (("classes", 4, "evidence", "zh"), "{", "cannot be filled in"),
    (("classes", 4, "all", 0, "feature"), "bur_nothing", "no value 'bur_nothing'"),
    (("classes", 4, "all", 0, "feature"), "class_rank", "cannot follow from itself"),
    (("stages", 0, "stage"), 1, "no rule leads to stage 1"),
    (("stages", 1, "all", 0, "value"), 30, "do not rise"),
    (("recovery",), [], "there is none"),
    (("recovery", 0, "effective_from"), "2026-01-01", "nothing holds"),
    (("recovery", 0, "upgrade_months"), -1, "negative"),
    ((*LOSS, "scenarios", 0, "weight_ppm"), 500_001, "add to 1000001 ppm"),
    ((*LOSS, "scenarios", 1, "pd_times_ppm"), 1_600_000, "more loans default in the scenario up"),
    ((*LOSS, "scenarios", 1, "code"), "base", "'base' stands twice"),
    ((*LOSS, "pd_floor_ppm"), 1_000_000, "out of bounds"),
    ((*LOSS, "segments", 1, "all"), [{"feature": "dpd", "op": "ge", "value": 0}], "no segment"),
    ((*SEGMENT, "lgd", 0, "from_dpd"), 1, "do not ascend from 0"),
    ((*SEGMENT, "lgd", 1, "share_ppm"), 10, "loses less"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "told"), BROKEN, ids=[each[2] for each in BROKEN])
def test_each_fault_is_told_with_its_place_and_a_remedy(path, value, told) -> None:
    found = findings(changed(path, value), FEATURES)
    assert any(told in each.problem for each in found), found
    assert all(each.place and each.remedy for each in found)
    with pytest.raises(BrokenClasses):
        check_classes(changed(path, value), FEATURES)


def test_a_day_without_a_recovery_or_losses_is_a_gap() -> None:
    plain = DOCUMENT.recovery[0]
    fields = {name: getattr(plain, name) for name in plain.__struct_fields__}
    two = [{**fields, "effective_to": "2027-01-01"}, {**fields, "effective_from": "2027-01-02"}]
    (found,) = findings(changed(("recovery",), two))
    assert "from 2027-01-01 to 2027-01-02" in found.problem
    two[1]["effective_from"] = "2027-01-01"
    assert not findings(changed(("recovery",), two))


def test_what_is_shipped_is_sound_and_its_bytes_are_read_back() -> None:
    document = load_classes(SHIPPED, FEATURES)
    data = canonical_bytes(document)
    assert read_classes(data) == document
    with pytest.raises(Integrity):
        read_classes(data + b" ")
    with pytest.raises(Integrity):
        read_classes(b"{}")
