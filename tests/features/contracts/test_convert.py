"""Each field type against a plain Python reading of the same text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import NULL
from features.canonical import code_of
from features.contracts.convert import REMEDIES, check_numbers, convert_column
from features.contracts.model import Field, FieldType, Text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHINA = timedelta(hours=8)


def field(kind: str, **more: object) -> Field:
    return Field(name="x", type=FieldType(kind), **more)  # type: ignore[arg-type]


def converted(one: Field, texts: list[str | None]) -> tuple[list[int | None], dict[str, list[int]]]:
    found = convert_column(one, pa.array(texts, pa.string()))
    values = [None if value == NULL else int(value) for value in found.values]
    return values, {name: np.flatnonzero(rows).tolist() for name, rows in found.problems.items()}


def micro(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def as_date(text: str) -> int | None:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return micro(datetime(day.year, day.month, day.day, tzinfo=UTC) - CHINA)


def as_month(text: str) -> int | None:
    return as_date(f"{text}-01") if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII) else None


def as_instant(text: str) -> int | None:
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(Z|\+08:00)?", text, re.ASCII)
    if not found:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError:
        return None
    return micro(moment if found[3] == "Z" else moment - CHINA)


def as_number(text: str, scale: int, shape: str) -> int | None:
    if not re.fullmatch(shape, text, re.ASCII):
        return None
    try:
        return round(Decimal(text) * 10**scale)
    except InvalidOperation:
        return None


MONEY = r"-?\d{1,13}(\.\d{1,2}0*)?"
WHOLE = r"-?\d{1,15}(\.0+)?"
REFERENCE = {
    "date": as_date,
    "month": as_month,
    "instant": as_instant,
    "money": lambda text: as_number(text, 2, MONEY),
    "integer": lambda text: as_number(text, 0, WHOLE),
    "boolean": lambda text: {"1": 1, "true": 1, "y": 1, "yes": 1, "0": 0, "false": 0, "n": 0, "no": 0}.get(text.lower()),
}  # fmt: skip
CLASSES = {
    "date": "not a date", "month": "not a month", "instant": "not an instant", "money": "not an amount in yuan",
    "integer": "not a whole number", "boolean": "not a boolean",
}  # fmt: skip

two = st.integers(0, 99).map(lambda k: f"{k:02}")
years = st.sampled_from(["1900", "1969", "1970", "2000", "2023", "2024", "2100"])
days = st.builds(
    lambda y, m, d: f"{y}-{m}-{d}",
    years,
    st.integers(0, 13).map("{:02}".format),
    st.integers(0, 32).map("{:02}".format),
)
clocks = st.builds(
    lambda h, m, s: f"{h}:{m}:{s}",
    st.integers(0, 25).map("{:02}".format),
    st.integers(0, 61).map("{:02}".format),
    two,
)
instants = st.builds(lambda d, gap, c, zone: d + gap + c + zone, days, st.sampled_from(["T", " ", "_"]), clocks,
                     st.sampled_from(["", "Z", "+08:00", "+09:00"]))  # fmt: skip
numbers = st.builds(lambda sign, whole, rest: f"{sign}{whole}{rest}", st.sampled_from(["", "-", "+"]), st.integers(0, 10**14),
                    st.sampled_from(["", ".", ".0", ".5", ".50", ".25", ".255", ".250", "e2"]))  # fmt: skip
TEXTS = {
    "date": days, "month": days.map(lambda text: text[:7]), "instant": instants, "money": numbers, "integer": numbers,
    "boolean": st.sampled_from(["1", "0", "TRUE", "no", "Y", "n", "2", "oui", "on"]),
}  # fmt: skip
noise = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)


@pytest.mark.parametrize("kind", sorted(REFERENCE))
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_column_is_read_as_plain_python_reads_each_text(kind: str, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.one_of(TEXTS[kind], noise), min_size=1, max_size=8))
    values, problems = converted(field(kind), list(texts))
    expected = [REFERENCE[kind](text) for text in texts]
    assert values == expected
    bad = [row for row, value in enumerate(expected) if value is None]
    assert problems == ({CLASSES[kind]: bad} if bad else {})


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_a_decimal_keeps_its_places(units: int, scale: int) -> None:
    text = f"{Decimal(units).scaleb(-scale):f}"
    assert converted(field("decimal", scale=scale), [text])[0] == [units]


@pytest.mark.parametrize("text", ["1e400", "nan", "inf", "1,5", "1.2.3", ".", "--1", "9e18"])
def test_a_decimal_that_is_none_or_does_not_fit(text: str) -> None:
    assert converted(field("decimal", scale=2), [text, "1"]) == ([None, 100], {"not a number": [0]})


@pytest.mark.parametrize(
    ("text", "reading"),
    [("2023-02-29", None), ("2024-02-29", "2024-02-28T16:00:00"), ("1900-02-29", None), ("2024-13-01", None),
     ("2024-2-9", None), ("2024/02/09", None), ("0000-01-01", None), ("0001-01-01", None)],
)  # fmt: skip
def test_dates_that_do_not_exist(text: str, reading: str | None) -> None:
    expected = None if reading is None else micro(datetime.fromisoformat(reading + "+00:00"))
    assert converted(field("date"), [text])[0] == [expected]


def test_a_date_and_an_instant_in_the_contract_s_own_form() -> None:
    values, problems = converted(field("date", format="%y%m%d"), ["930101", "931301", "2993-1-1"])
    assert values == [as_date("1993-01-01"), None, None]
    assert problems == {"not a date": [1, 2]}
    values, problems = converted(field("date", format="%Y/%m/%d"), ["2018/5/1", "2018/05/01", "2018/2/30"])
    assert (values[:2], problems) == ([as_date("2018-05-01")] * 2, {"not a date": [2]})
    assert converted(field("instant", format="%Y%m%d"), ["20240531"])[0] == [as_date("2024-05-31")]


def test_the_same_instant_in_three_zones() -> None:
    values, _ = converted(
        field("instant"), ["2024-05-31T08:00:00+08:00", "2024-05-31 08:00:00", "2024-05-31T00:00:00Z"]
    )
    assert len(set(values)) == 1


def test_empty_is_absent_and_a_problem_only_where_it_is_required() -> None:
    texts = ["", "  ", None, "5"]
    for kind in FieldType:
        if kind in {FieldType.ID_NUMBER, FieldType.USCC}:
            continue
        assert converted(field(kind), texts[:3]) == ([None] * 3, {}), kind
    assert converted(field("integer", required=True), texts) == ([None, None, None, 5], {"empty": [0, 1, 2]})


def test_limits_hold_in_the_text_s_unit_but_for_special_codes() -> None:
    one = field("money", min=0, max=10, special_codes=(-1, 99))
    values, problems = converted(one, ["0", "10", "10.01", "-0.01", "-1", "99", "98"])
    assert values == [0, 1000, None, None, -100, 9900, None]
    assert problems == {"below the minimum": [3], "above the maximum": [2, 6]}


def test_a_limit_may_be_on_one_side_only() -> None:
    assert converted(field("integer", max=5), ["-9", "6"]) == ([-9, None], {"above the maximum": [1]})
    assert converted(field("integer", min=5), ["4", "99"]) == ([None, 99], {"below the minimum": [0]})


def test_codes_are_those_of_the_contract() -> None:
    one = field("category", codes={"paid": Text("已缴", "paid"), "open": Text("未缴", "open")})
    assert converted(one, ["paid", "open", "PAID", "", "lost"]) == (
        [code_of("paid"), code_of("open"), None, None, None], {"unknown code": [2, 4]},
    )  # fmt: skip
    assert converted(field("id"), ["A1", " A1 ", "B"])[0] == [code_of("A1"), code_of("A1"), code_of("B")]


def test_numbers_of_persons_and_firms() -> None:
    texts = ["11010519491231002X", "11010519491231002x", "110105194912310021", "", None, "123"]
    numbers, problems = check_numbers(FieldType.ID_NUMBER, pa.array(texts, pa.string()))
    assert numbers == ["11010519491231002X", "11010519491231002X", None, None, None, None]
    assert {name: np.flatnonzero(rows).tolist() for name, rows in problems.items()} == {
        "wrong check digit": [2], "empty": [3, 4], "wrong length": [5],
    }  # fmt: skip
    firms, wrong = check_numbers(FieldType.USCC, pa.array(["91350100M000100Y43", "91350100M000100Y44"]))
    assert firms == ["91350100M000100Y43", None]
    assert set(wrong) == {"wrong check digit"}


def test_every_value_class_has_a_remedy() -> None:
    assert {
        *CLASSES.values(),
        "empty",
        "unknown code",
        "not a number",
        "below the minimum",
        "above the maximum",
    } <= set(REMEDIES)


@pytest.mark.parametrize("kind", sorted(REFERENCE))
def test_a_text_that_repeats_is_read_as_one_that_stands_alone(kind: str) -> None:
    texts = [
        "2024-05-31",
        " 2024-05",
        "2024-02-30",
        "2024-05-31T08:00:00Z",
        "1",
        " 2.5",
        "",
        None,
        "no",
        "x",
        "-7",
    ]
    one = field(kind, required=True)
    alone = convert_column(one, pa.array(texts, pa.string()))
    many = convert_column(one, pa.array(texts * 200, pa.string()))
    assert many.values.tolist() == alone.values.tolist() * 200
    assert {name: rows.tolist() for name, rows in many.problems.items()} == {
        name: rows.tolist() * 200 for name, rows in alone.problems.items()
    }


def test_numbers_that_repeat_are_read_as_those_that_stand_alone() -> None:
    texts = [
        "11010519491231002X",
        " 11010519491231002x",
        "110105491231002",
        "110105194912310021",
        "",
        None,
        "  ",
    ]
    alone, problems = check_numbers(FieldType.ID_NUMBER, pa.array(texts, pa.string()))
    many, repeated = check_numbers(FieldType.ID_NUMBER, pa.array(texts * 50, pa.string()))
    assert alone == [*["11010519491231002X"] * 3, None, None, None, None]
    assert many == alone * 50
    assert {name: rows.tolist() for name, rows in repeated.items()} == {
        name: rows.tolist() * 50 for name, rows in problems.items()
    }
