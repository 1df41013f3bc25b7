"""What no answer, message or log may repeat: whatever looks like the number of a person, a firm, a phone or an account.

A client may put one into a wrong place, whose value or name a message then quotes. Ids and digests stay: a number
begins and ends where no letter or digit stands beside it, unless it is as long as those of people.
"""

from __future__ import annotations

import re

from features.errors import Invalid

_ALONE, _ENDS = r"(?<![0-9A-Za-z-])", r"(?![0-9A-Za-z-])"
_GAP = "[\\s\u2010-\u2015-]"
"""A blank or a hyphen."""
_NUMBER = re.compile(
    "|".join((  # the longer first: a shorter one would take its beginning alone
        (  # with a birthday within, in any groups
            rf"{_ALONE}(?:\d{_GAP}?){{6}}(?:1{_GAP}?[89]|2{_GAP}?0)(?:{_GAP}?\d){{2}}"
            rf"{_GAP}?[01]{_GAP}?\d{_GAP}?[0-3]{_GAP}?\d(?:{_GAP}?\d){{3}}{_GAP}?[0-9Xx]{_ENDS}"
        ),
        rf"{_ALONE}\d{{6}}{_GAP}{{1,3}}(?:\d{{8}}{_GAP}{{1,3}}\d{{3}}[0-9Xx]|\d{{6}}{_GAP}{{1,3}}\d{{3}}){_ENDS}",  # as printed
        r"\d{15,}[Xx]?",  # people's, old and new, and accounts
        rf"(?i:{_ALONE}[0-9A-Z]{{2}}\d{{6}}[0-9A-HJ-NP-RT-UW-Y]{{10}}{_ENDS})",  # unified social credit codes
        rf"{_ALONE}(?:\+?86[ -]?)?1[3-9]\d(?:\d{{8}}|[ -]\d{{4}}[ -]\d{{4}}){_ENDS}",  # mobile phones
        rf"{_ALONE}\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{3,4}}(?:\1\d{{1,4}})?{_ENDS}",  # cards as they are printed
    ))
)  # fmt: skip
INSTEAD = "(number)"


class NumberInText(Invalid):
    """A text that is kept as it is written, with a number in it."""

    def __init__(self, place: str) -> None:
        super().__init__(
            "the text seems to hold somebody's number.", place=place, remedy="Say it without the number."
        )


def holds_number(text: str) -> bool:
    """Whether something in a text looks like such a number."""
    return _NUMBER.search(text) is not None


def tellable(text: str) -> str:
    """A text without them, and without halves of surrogate pairs, which JSON may carry but UTF-8 may not."""
    return _NUMBER.sub(INSTEAD, text.encode(errors="replace").decode())
