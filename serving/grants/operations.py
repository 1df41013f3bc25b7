"""``yidai grants``: a village decided together, its report, and the list of whom it pre-approves."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.calendar import DAY, local_date
from features.errors import Invalid, Unavailable
from features.files import put_file
from features.terminal import Step
from serving.access.model import Authority, Permission
from serving.batch.lines import Line
from serving.batch.service import BatchAnswer
from serving.clock import wall_clock
from serving.decisions.service import hash_of_key
from serving.grants.model import Applicant, Granted, Refused, Report
from serving.grants.reading import read_applicants
from serving.grants.report import granted_of, report_of
from serving.operations import authority
from serving.policy.days import first_day
from serving.policy.lists import LONGEST
from serving.serve import open_store
from serving.services import Services, with_services
from serving.settings import Settings

THIN = "thin_file"
"""The segment of the shipped policy whose applicants few sources know."""


class TooLong(Invalid):
    """A list that would outlive the year after which whom it names must be looked at again (REG-IL-19)."""

    def __init__(self, until: str) -> None:
        super().__init__(
            f"{until} is not within a year from today.",
            place="--until",
            remedy="Give an earlier day after today.",
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """The report, and the files that were written: page, twin, answers and list."""

    report: Report
    page: Path
    twin: Path
    answers: Path
    listed: Path


def grant(
    settings: Settings,
    file: Path,
    village: str,
    out: Path,
    *,
    until: str = "",
    apart: str = THIN,
    progress: Step | None = None,
) -> Grant:
    """Decide every applicant of a file as the API decides, and write what came of it under ``out``.

    Whoever runs it again with the same file gets the same answers, because each line has a key of its own, made of
    the village and of what the line says; a run that was killed goes on.

    Raises:
        NoColumn, TooLong: nothing was decided.
        Unavailable: it stopped on the way; run it again.
    """
    now = wall_clock()
    last = until or local_date(now + (LONGEST - 1) * DAY).isoformat()
    today = local_date(now).isoformat()
    if not 0 < first_day(last) - first_day(today) < LONGEST:
        raise TooLong(last)
    lines = list(read_applicants(file))
    applicants = [one for one in lines if isinstance(one, Applicant)]
    database = open_store(settings)
    asker = authority(settings, database, Permission.DECIDE)
    answers = with_services(
        settings,
        database,
        lambda held: _decide(held, asker, village, applicants, progress or (lambda *_: None)),
    )
    told = [
        granted_of(one.line, body)
        for one, body in zip(applicants, answers, strict=True)
        if isinstance(body, bytes)
    ]
    wrong = [one for one in [*lines, *answers] if isinstance(one, Refused)]
    report = report_of(village, apart, told, wrong, last)
    return _written(out, report, applicants, answers, told, today)


async def _decide(
    held: Services, asker: Authority, village: str, applicants: Sequence[Applicant], progress: Step
) -> list[bytes | Refused]:
    """The answer of each, or why it has none, as a batch gives them."""
    found: list[bytes | Refused] = []
    async for told in held.batch.answers(asker, (_line(village, one) for one in applicants)):
        found += [_answer(each.line) for each in told]
        progress("deciding", len(found), len(applicants))
    return found


def _line(village: str, one: Applicant) -> Line:
    key = hashlib.sha256(b"grant\0" + village.encode() + b"\0" + one.body).hexdigest()
    return Line(one.line, key, hash_of_key(key), one.request)


def _answer(told: BatchAnswer) -> bytes | Refused:
    """The bytes of an answer, or the refusal.

    Raises:
        Unavailable: what is needed to decide did not answer; the others of its chunk were decided.
    """
    if not isinstance(told.answer, msgspec.UnsetType):
        return bytes(told.answer)
    if told.status == Unavailable.status:
        raise Unavailable(told.detail, place=told.place, remedy=told.remedy, code=told.code)
    place = told.place.removeprefix(f"line {told.line}").removeprefix(": ")
    return Refused(told.line, place, told.detail, told.remedy)


def _written(
    out: Path, report: Report, applicants: Sequence[Applicant], answers: Sequence[bytes | Refused],
    told: Sequence[Granted], today: str,
) -> Grant:  # fmt: skip
    from serving.grants.page import render  # noqa: PLC0415 - draws

    out.mkdir(parents=True, exist_ok=True)
    done = Grant(
        report, out / "report.html", out / "report.json", out / "answers.ndjson", out / "preapproved.csv"
    )
    put_file(done.page, render(report).encode())
    put_file(done.twin, msgspec.json.format(msgspec.json.encode(report)))
    put_file(done.answers, b"".join(body + b"\n" for body in answers if isinstance(body, bytes)))
    approved = {one.line for one in told if one.outcome == "approve"}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["id_number", "effective_from", "effective_to"])
    rows.writerows([one.number, today, report.until] for one in applicants if one.line in approved)
    put_file(done.listed, text.getvalue().encode())
    done.listed.chmod(0o600)
    return done
