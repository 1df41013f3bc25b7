"""Every error that Yidai raises on purpose.

::

    YidaiError
    ├── Invalid          422  a file, row, request, configuration or definition breaks its contract
    ├── Unauthenticated  401  nobody known is asking
    ├── Forbidden        403  the asker, the consent or the purpose does not allow it
    ├── NotFound         404  the named thing does not exist for this asker
    ├── Conflict         409  it contradicts what is already stored
    ├── TooLarge         413  over a stated size limit
    ├── TooMany          429  a tenant asks more often than it may
    ├── Unavailable      503  a part that is needed does not answer
    └── Integrity        500  stored bytes are not what their digest says

A subclass takes domain objects and writes its own message; it never needs a caller to phrase one.
"""

from __future__ import annotations


class YidaiError(Exception):
    """A refusal with its place and its remedy.

    ``code`` is stable and machine readable; ``place`` names the file, line, field or object;
    ``remedy`` says what to do next. The text never holds a personal value.
    """

    status = 500
    retry_after = 0
    """Whole seconds after which the same request may be sent again; 0 where again would be refused again."""

    def __init__(self, message: str, *, place: str = "", remedy: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy
        self.code = code or _snake(type(self).__name__)

    def __str__(self) -> str:
        """One paragraph: place, message, remedy."""
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head} {self.remedy}" if self.remedy else head


class Invalid(YidaiError):
    """A file, row, request, configuration or definition breaks its contract."""

    status = 422


class Unauthenticated(YidaiError):
    """Nobody known is asking."""

    status = 401


class Forbidden(YidaiError):
    """The asker, the consent or the purpose does not allow it."""

    status = 403


class NotFound(YidaiError):
    """The named thing does not exist for this asker."""

    status = 404


class Conflict(YidaiError):
    """It contradicts what is already stored."""

    status = 409


class TooLarge(YidaiError):
    """Over a stated size limit."""

    status = 413


class TooMany(YidaiError):
    """A tenant asks more often than it may."""

    status = 429
    retry_after = 1


class Unavailable(YidaiError):
    """A part that is needed does not answer."""

    status = 503
    retry_after = 1


class Integrity(YidaiError):
    """Stored bytes are not what their digest says."""

    status = 500


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
