"""Versions as people write them: what is wrong stands with its line, and what is right is the same to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import YidaiError
from serving.governance.drafts import WRITTEN, differences, plan_of, read_draft, shipped_text, text_of
from serving.governance.lines import line_of
from serving.policy.findings import Severity
from serving.registry.fitting import check
from serving.registry.model import Kind
from tests.serving.world import NOW, PLAN

SMALL = (Kind.HANDLING, Kind.MONITORING)


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_is_shipped_is_right_and_its_text_leads_back_to_the_same_bytes(kind: Kind) -> None:
    first = read_draft(kind, shipped_text(kind), plan_of(PLAN.document), NOW)
    assert first.data is not None, first.findings
    check(kind, first.data)
    again = read_draft(kind, text_of(kind, first.data), None, NOW)
    assert again.digest == first.digest
    assert differences(kind, first.data, first.data) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        (Kind.POLICY, "gates:", "gates: [", "not valid YAML"),
        (Kind.POLICY, "schema: 2", "schema: two", "Expected `int`"),
        (Kind.MONITORING, "psi:", "psi: -1 #", "no limit"),
        (Kind.SIGNALS, "{feature: dpd, op", "{feature: dpt, op", "dpt"),
    ],
)
def test_a_fault_stands_with_its_place_line_and_remedy(kind, old, new, said) -> None:
    text = shipped_text(kind)
    assert old in text
    broken = text.replace(old, new, 1)
    found = read_draft(kind, broken, plan_of(PLAN.document), NOW)
    assert found.data is None
    errors = [one for one in found.findings if one.severity is Severity.ERROR]
    assert any(said in one.problem for one in errors), errors
    assert all(one.place and one.remedy for one in errors)
    assert any(one.line for one in errors), errors


def test_a_name_within_another_is_looked_for_after_it() -> None:
    text = "a:\n  - id: x\n    y: 1\n  - id: z\n    y: 2\n"
    assert line_of(text, "z y") == 5
    assert line_of(text, "x y") == 3
    assert line_of(text, "nothing") == 0
    assert line_of(text, "text:4:7") == 4
    assert line_of(text, "text", "Expected `int`, got `str` - at `$.a[1].y`.") == 5
    assert line_of("a: [", "text", "at `$.a`") == 0


def test_two_versions_differ_by_the_things_that_they_name() -> None:
    text = shipped_text(Kind.SIGNALS)
    one, other = (
        read_draft(Kind.SIGNALS, each, None, NOW).data
        for each in (
            text,
            text.replace(
                "level: yellow, all: [{feature: dpd, op: ge, value: 1}",
                "level: yellow, all: [{feature: dpd, op: ge, value: 2}",
                1,
            ),
        )
    )
    assert one is not None
    assert other is not None
    found = differences(Kind.SIGNALS, one, other)
    assert len(found) == 1
    assert found[0].place.startswith("signals ")


@given(kind=st.sampled_from(SMALL), data=st.data())
def test_no_text_brings_the_reader_down(kind: Kind, data: st.DataObject) -> None:
    text = shipped_text(kind)
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from([": .inf", "[", "&a *a", "!!python/x", "1e999", "- {", "\n\t"]),
        )
    )
    found = read_draft(kind, text[:at] + put + text[at + data.draw(st.integers(0, 9)) :], None, NOW)
    if found.data is not None:
        assert read_draft(kind, text_of(kind, found.data), None, NOW).data == found.data
        try:
            check(kind, found.data)
        except YidaiError as broken:  # pragma: no cover - the finding that this test looks for
            pytest.fail(f"stored in spite of {broken}")
    else:
        assert found.findings
        assert all(0 <= one.line <= found.text.count("\n") + 2 for one in found.findings)
