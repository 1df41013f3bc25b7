"""Ids that people shorten: the beginning of one names it, where it names no other."""

from __future__ import annotations

import re
from uuid import UUID

from features.errors import Invalid, NotFound
from serving.store.engine import Database
from serving.store.session import tenant_transaction

LEAST = 8
"""Characters that a beginning has at least."""
_DIGITS = 32
_FOUND = {
    "decision": "SELECT decision_id FROM decision WHERE decision_id BETWEEN %s AND %s ORDER BY 1 LIMIT 2",
    "offer": "SELECT decision_id FROM offer WHERE decision_id BETWEEN %s AND %s ORDER BY 1 LIMIT 2",
    "alert": "SELECT alert_id FROM alert WHERE alert_id BETWEEN %s AND %s ORDER BY 1 LIMIT 2",
    "issue": "SELECT issue_id FROM model_issue WHERE issue_id BETWEEN %s AND %s ORDER BY 1 LIMIT 2",
    "case": "SELECT case_id FROM review_case WHERE case_id BETWEEN %s AND %s ORDER BY 1 LIMIT 2",
}


class NoId(Invalid):
    """A text that begins no id."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(
            f"{text[:40]!r} is no {what}'s id and no beginning of one.", place=what,
            remedy=f"Give the id, or its first {LEAST} hexadecimal characters or more.",
        )  # fmt: skip


class NotOne(Invalid):
    """A beginning of several ids."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(
            f"more than one {what}'s id begins with {text!r}.", place=what, remedy="Give more of it."
        )


class NothingNamed(NotFound):
    """No id begins so."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(f"no {what}'s id begins with {text!r}.", place=what, remedy="Compare the id.")


def whole_id(database: Database, tenant: str, what: str, text: str | UUID) -> UUID:
    """The id of a decision, an offer, an alert, an issue or a case from its beginning; a whole id is not looked up.

    Raises:
        NoId, NotOne, NothingNamed: it names none, or several.
    """
    given = str(text).strip().lower()
    digits = given.replace("-", "")
    if not LEAST <= len(digits) <= _DIGITS or not re.fullmatch("[0-9a-f]+", digits):
        raise NoId(what, str(text))
    first, last = UUID(digits.ljust(_DIGITS, "0")), UUID(digits.ljust(_DIGITS, "f"))
    if first == last:
        return first
    with tenant_transaction(database, tenant) as connection:
        found = connection.execute(_FOUND[what], (first, last)).fetchall()
    if len(found) > 1:
        raise NotOne(what, given)
    if not found:
        raise NothingNamed(what, given)
    return UUID(str(found[0][0]))
