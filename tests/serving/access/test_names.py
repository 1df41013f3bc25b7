"""Names of people: printed, told apart, and no numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.access.model import Role
from serving.access.users import NameTaken, WrongName, check_name, create_user, end_user, skeleton
from serving.process.telling import NumberInText
from tests.serving.world import NOW, Bank

DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
PARTS = st.text(st.sampled_from("abzäß张伟 "), min_size=1, max_size=8)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " li",
        "li ",
        "a/b",
        "x\u202ey",
        "li\n",
        ".",
        "..",
        "\uff4c\uff49",
        "\ufb01n",
        "a\u2011b",
        "li\u3000wang",
        "x" * 65,
    ],
)
def test_what_cannot_be_printed_addressed_or_told_apart_is_no_name(name: str) -> None:
    with pytest.raises(WrongName):
        check_name(name)


@pytest.mark.parametrize("name", ["110105199001011237", "li 13812345678", "张伟 110105199001011237"])
def test_a_number_is_no_name(name: str) -> None:
    with pytest.raises(NumberInText):
        check_name(name)


@pytest.mark.parametrize(
    "name", ["li", "张伟", "阿卜杜拉·买买提", "O'Neill", "zoë", "a.b", "li@bank.example", "branch-07"]
)
def test_names_of_people_are_names(name: str) -> None:
    check_name(name)


@given(PARTS, PARTS, st.sampled_from(DASHES), st.sampled_from(DASHES))
def test_case_dashes_and_spaces_do_not_tell_names_apart_and_letters_do(
    one: str, other: str, first: str, second: str
) -> None:
    assert skeleton(f"{one}{first}{other}") == skeleton(f" {one.upper()}{second}{other} ")
    assert skeleton(f"{one}{first}{other}") != skeleton(f"{one}{other}{first}q")


def test_a_name_that_looks_like_somebody_elses_is_taken(bank: Bank) -> None:
    create_user(bank.database, "city", "wang-li", [Role.AUDITOR], NOW)
    for name in ("wang-li", "Wang-Li", "wang\u2013li", "WANG\u2212LI", "Risk_Officer"):
        with pytest.raises(NameTaken):
            create_user(bank.database, "city", name, [Role.AUDITOR], NOW)
    end_user(bank.database, "city", "wang-li", NOW)
    with pytest.raises(NameTaken):
        create_user(bank.database, "city", "Wang-li", [Role.AUDITOR], NOW)
    create_user(bank.database, "other", "Wang-li", [Role.AUDITOR], NOW)


def test_of_two_alike_who_are_made_at_once_one_is(bank: Bank) -> None:
    def make(name: str) -> bool:
        try:
            create_user(bank.database, "city", name, [Role.AUDITOR], NOW)
        except NameTaken:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(make, ["twin", "Twin", "TWIN", "tWin"])) == 1
