"""Logs: one JSON object a line on stderr, or text for a person at a terminal.

No line holds a body, a number of a person or a token: events name the route's template and never its path, and whatever
looks like a number is taken out of a message and of a stack trace.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import msgspec

from features.calendar import iso
from serving.process import seen
from serving.process.telling import tellable
from serving.settings import Settings

_TOKEN = re.compile(r"(?i)(bearer\s+|whsec_)\S+")
_OURS = "yidai"


class JsonLines(logging.Formatter):
    """``time``, ``level``, ``event``, ``request_id``, ``tenant`` and ``actor`` where known, and an event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return msgspec.json.encode(self.fields(record)).decode()

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the line holds, in order."""
        told: dict[str, Any] = {
            "time": iso(round(record.created * 1_000_000)), "level": record.levelname.lower(),
            "logger": record.name, "event": clean(record.getMessage()),
        }  # fmt: skip
        told |= _of_request() | getattr(record, "fields", {})
        if record.exc_info:
            told["error"] = clean(self.formatException(record.exc_info))
        return told


class Text(JsonLines):
    """The same for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and below it the stack trace of an error."""
        told = self.fields(record)
        head = f"{told.pop('time')} {told.pop('level').upper()} {told.pop('event')}"
        error = told.pop("error", "")
        del told["logger"]
        rest = " ".join(f"{name}={value}" for name, value in told.items())
        return f"{head} {rest}".rstrip() + (f"\n{error}" if error else "")


def configure(settings: Settings) -> None:
    """From here on this process logs as the settings say: our own events from their level on, others' warnings."""
    form = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Text() if form == "text" else JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OURS).setLevel(settings.log_level.upper())


def clean(text: str) -> str:
    """A text without what looks like a person's number or a secret."""
    return _TOKEN.sub("(secret)", tellable(text))


def _of_request() -> dict[str, str]:
    found = seen.now()
    if found is None:
        return {}
    told = {"request_id": found.request_id, "tenant": found.tenant, "actor": found.actor}
    return {name: value for name, value in told.items() if value}
