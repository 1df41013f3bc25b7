"""A number is not repeated however it is written; what is no number is."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.process.telling import INSTEAD, holds_number, tellable
from tests.serving.world import Client, problem

PRINTED = (
    "110101199003077416", "110101-19900307-7416", "110101 19900307 7416", "110101 - 19900307 - 741X", "11010119900307741x",
    "110101\u00a019900307\u00a07416", "110101\u201319900307\u20137416", "110101 1990 0307 7416", "110 101 1990 03 07 741X",
    "1101 0119 9003 0774 16", "110101-900307-741", "1 1 0 1 0 1 1 9 9 0 0 3 0 7 7 4 1 6",
)  # fmt: skip
NOTHING_OF_A_PERSON = (
    "2025-01-02T02:00:00.000000Z", "from 2025-01-02 to 2025-01-03", "01a218b2-3984-7226-81fd-e342ea202940", "1000000 fen, 360000 ppm",
    "110101", "an amount of 200000 12 500", "123456-12345678-1234-9",
)  # fmt: skip


@pytest.mark.parametrize("number", PRINTED)
def test_a_number_is_masked_in_whatever_groups_it_is_printed(number: str) -> None:
    assert tellable(f"the value {number!s} is not one.") == f"the value {INSTEAD} is not one."
    assert holds_number(f"({number})")


@pytest.mark.parametrize("text", NOTHING_OF_A_PERSON)
def test_dates_amounts_and_ids_stay(text: str) -> None:
    assert tellable(text) == text


@given(
    st.from_regex(r"[1-6][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9])[0-9]{3}[0-9X]", fullmatch=True),
    st.sets(st.integers(1, 17)),
    st.sampled_from(" -"),
)  # fmt: skip
@example("100000190001010000", {15}, " ")
@example("254774200001396958", {6, 12, 15}, " ")
@settings(max_examples=25)
def test_no_grouping_lets_a_number_of_a_person_through(number: str, cuts: set[int], gap: str) -> None:
    printed = "".join(gap * (place in cuts) + sign for place, sign in enumerate(number))
    assert tellable(f"{printed} is wrong") == f"{INSTEAD} is wrong"


def test_a_refusal_of_a_request_does_not_repeat_a_grouped_number(client: Client) -> None:
    got = client.ask("GET", "/v1/webhooks/110101-19900307-7416/deliveries")
    problem(got, 422)
    got = client.ask("POST", "/v1/webhooks", json={"url": "https://a.example", "110101 19900307 7416": 1})
    problem(got, 422)
    assert "7416" not in got.text
