"""Check digits of both numbers, by properties and by published examples."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.identity.numbers import (
    PERSON,
    USCC,
    WrongNumber,
    check_person_number,
    check_uscc,
    person_check_digit,
    plain_numbers,
    uscc_check_digit,
)

BIRTHS = st.dates().map(lambda day: day.strftime("%Y%m%d")).filter(lambda text: len(text) == 8)
BODIES = st.builds(
    lambda area, birth, order: f"{area:06}{birth}{order:03}",
    st.integers(110000, 659999),
    BIRTHS,
    st.integers(0, 999),
)
USCC_BODIES = st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=17, max_size=17)


def test_the_examples_of_the_standards_are_valid() -> None:
    assert check_person_number("11010519491231002X") == "11010519491231002X"  # GB 11643-1999
    assert check_uscc("91350100M000100Y43") == "91350100M000100Y43"  # GB 32100-2015


def test_a_small_x_is_raised() -> None:
    assert check_person_number("11010519491231002x") == "11010519491231002X"


def test_the_legacy_form_is_extended() -> None:
    assert check_person_number("110105491231002") == "11010519491231002X"


@given(BODIES)
def test_every_body_has_exactly_one_check_digit(body) -> None:
    valid = [c for c in "0123456789X" if _valid(body + c)]
    assert valid == [person_check_digit(body)]


@given(BODIES, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(body, place, shift) -> None:
    number = body + person_check_digit(body)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not _valid(wrong)


@given(USCC_BODIES, st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_of_a_uscc_is_always_found(body, place, other) -> None:
    assume(body[place] != other)
    code = body + uscc_check_digit(body)
    assert check_uscc(code) == code
    with pytest.raises(WrongNumber):
        check_uscc(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(
    ("text", "value_class"),
    [
        ("1101051949123100", "wrong length"),
        ("11010519491231002Y", "wrong characters"),
        ("１１０１０５１９４９１２３１００２Ｘ", "wrong characters"),
        ("110105194902310020", "impossible birth date"),
        ("110105194912310021", "wrong check digit"),
        ("", "wrong length"),
    ],
)
def test_a_wrong_number_names_its_class_and_never_itself(text, value_class) -> None:
    with pytest.raises(WrongNumber) as refusal:
        check_person_number(text)
    assert refusal.value.value_class == value_class
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "value_class"),
    [
        ("91350100M000100Y4", "wrong length"),
        ("91350100M000100YO3", "wrong characters"),
        ("91350100M000100Y44", "wrong check digit"),
    ],
)
def test_a_wrong_code_of_a_firm_names_its_class_and_never_itself(text, value_class) -> None:
    with pytest.raises(WrongNumber) as refusal:
        check_uscc(text)
    assert refusal.value.value_class == value_class
    assert text not in str(refusal.value)


def _valid(number: str) -> bool:
    try:
        check_person_number(number)
    except WrongNumber:
        return False
    return True


CHARACTERS = st.sampled_from("0123456789X xIYZé证")
PERSONS = st.builds(lambda body: body + person_check_digit(body), BODIES)
ODD_DATES = st.builds(
    lambda birth: (body := f"110105{birth}002") + person_check_digit(body),
    st.sampled_from(["19000229", "20000229", "20230229", "20240229", "20241301", "20240431", "00000101", "00010101", "20240100"]),
)  # fmt: skip
CODES = st.builds(lambda body: body + uscc_check_digit(body), USCC_BODIES)


@st.composite
def texts(draw: st.DrawFn, good: st.SearchStrategy[str]) -> list[str | None]:
    """Right numbers, some with a character changed, put in or taken out, and empty cells."""
    found: list[str | None] = []
    for number in draw(st.lists(good, max_size=8)):
        at, other = draw(st.integers(0, 17)), draw(CHARACTERS)
        changed = (
            number,
            number[:at] + other + number[at + 1 :],
            number[:at] + other + number[at:],
            number[:at],
            None,
        )
        found.append(draw(st.sampled_from((number, *changed))))
    return found


@given(texts(st.one_of(PERSONS, ODD_DATES)), st.integers(0, 2))
def test_whole_columns_are_judged_as_each_number_is(column, cut) -> None:
    plain = plain_numbers(pa.array(column, pa.string()).slice(min(cut, len(column))), PERSON)
    expected = [text is not None and _same(check_person_number, text) for text in column[cut:]]
    assert plain.tolist() == expected


@given(texts(CODES), st.integers(0, 2))
def test_whole_columns_of_codes_are_judged_as_each_code_is(column, cut) -> None:
    plain = plain_numbers(pa.array(column, pa.string()).slice(min(cut, len(column))), USCC)
    assert plain.tolist() == [text is not None and _same(check_uscc, text) for text in column[cut:]]


def _same(check, text: str) -> bool:
    try:
        return check(text) == text
    except WrongNumber:
        return False
