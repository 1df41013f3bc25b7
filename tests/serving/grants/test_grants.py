"""A village granted together: the same answers as one by one, thin files apart, a list for the second person."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.calendar import iso
from features.contracts.model import Text
from features.errors import Unavailable
from serving.cli import app
from serving.clock import wall_clock
from serving.governance import committee
from serving.grants.model import Granted
from serving.grants.operations import TooLong, grant
from serving.grants.reading import COLUMNS, NoColumn, UnreadableLine
from serving.grants.report import report_of
from serving.policy.lists import ListKind, read_list
from serving.settings import Settings
from serving.store.session import owner_transaction
from tests.serving.feeding import subject_of
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, POOR, Bank, Client

VILLAGE = "赵庄 Zhaozhuang"


def line(number: str, consent: str, **changes: str) -> str:
    """An applicant."""
    told = {
        "id_number": number, "consent_id": consent, "product": "consumer", "amount_yuan": "20000", "term_months": "12",
        "purpose": "renovation", "region": "county", "identity": "passed", "aml": "clear", **changes,
    }  # fmt: skip
    return ",".join(told[name] for name in COLUMNS)


def write(path: Path, *lines: str) -> Path:
    """A file of applicants."""
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


def engineer(bank: Bank) -> Settings:
    """The settings of who may decide."""
    return replace(bank.settings, token=bank.tokens["integration_engineer"])


@pytest.fixture(scope="module")
def file(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, and four lines that cannot be decided."""
    people = [(who, client.consent_id(who)) for who in (GOOD, LATE, MIDDLE, DISHONEST)]
    good = people[0]
    return write(
        tmp_path_factory.mktemp("village") / "v.csv",
        *(line(*one) for one in people),
        line(*good),
        line("33010619850612001X", good[1]),
        line(LATE, good[1], amount_yuan="30000").replace(LATE, MIDDLE[:-1] + "0"),
        line(DISHONEST.replace("1985", "1986"), good[1], term_months="9" * 5000),
    )


def test_each_is_answered_as_the_api_answers_and_broken_lines_are_told(
    bank: Bank, client: Client, file: Path, tmp_path: Path
) -> None:
    done = grant(engineer(bank), file, VILLAGE, tmp_path / "out")
    report = done.report
    answers = [json.loads(text) for text in done.answers.read_text().splitlines()]
    assert answers[0]["outcome"] == "approve"
    assert answers[3]["outcome"] == "decline"
    for answer in answers:
        assert client.ask("GET", f"/v1/decisions/{answer['decision_id']}").json() == answer
    assert (report.applicants, report.whole.rows) == (8, 4)
    assert report.whole.limit_fen == sum(a["limit_fen"] for a in answers)
    assert report.known.rows + report.thin.rows == report.whole.rows
    assert [one.line for one in report.refused] == [6, 7, 8, 9]
    assert report.refused[0].problem == "this applicant stands in the file before."
    assert all(one.place and one.problem and one.remedy for one in report.refused)
    told = done.twin.read_text(encoding="utf-8") + done.page.read_text(encoding="utf-8")
    assert not any(number in told for number in (GOOD, LATE, MIDDLE, DISHONEST))
    assert VILLAGE in told


def test_running_it_again_gives_the_same_answers_and_decides_nobody_twice(
    bank: Bank, file: Path, tmp_path: Path
) -> None:
    first = grant(engineer(bank), file, VILLAGE, tmp_path / "a")
    again = grant(engineer(bank), file, VILLAGE, tmp_path / "b")
    assert first.answers.read_bytes() == again.answers.read_bytes()
    assert first.report == again.report


def test_the_list_holds_the_approved_for_at_most_a_year_and_can_be_submitted(
    bank: Bank, file: Path, tmp_path: Path
) -> None:
    done = grant(engineer(bank), file, VILLAGE, tmp_path / "out")
    numbers = [text.split(",")[0] for text in done.listed.read_text().splitlines()[1:]]
    assert GOOD in numbers
    assert DISHONEST not in numbers
    assert len(numbers) == done.report.whole.approved
    assert done.listed.stat().st_mode & 0o077 == 0
    data = committee.list_document(
        bank.settings, "preapproved", ListKind.ALLOW, Text("预授信名单", "Pre-approved"), "bank", done.listed
    )
    assert len(read_list(data).document.entries) == len(numbers)


def test_what_cannot_be_begun_is_refused(bank: Bank, file: Path, tmp_path: Path) -> None:
    with pytest.raises(TooLong, match="not within a year"):
        grant(engineer(bank), file, VILLAGE, tmp_path, until="2099-01-01")
    with pytest.raises(TooLong):
        grant(engineer(bank), file, VILLAGE, tmp_path, until=iso(wall_clock())[:10])
    bad = tmp_path / "bad.csv"
    bad.write_text("id_number,amount\n1,2\n")
    with pytest.raises(NoColumn, match="consent_id"):
        grant(engineer(bank), bad, VILLAGE, tmp_path)
    for text in ("x" * 200_000, "农业生产".encode("gbk").decode("latin-1")):
        bad.write_bytes((",".join(COLUMNS) + "\n").encode() + text.encode("latin-1") + b"\n")
        with pytest.raises(UnreadableLine, match="not UTF-8") as refused:
            grant(engineer(bank), bad, VILLAGE, tmp_path)
        assert refused.value.place == "bad.csv, line 2"


def test_it_stops_where_somebodys_records_are_not_online_and_goes_on_when_they_are(
    bank: Bank, client: Client, tmp_path: Path
) -> None:
    people = write(
        tmp_path / "v.csv", *(line(who, client.consent_id(who), purpose="medical") for who in (GOOD, POOR))
    )
    with owner_transaction(bank.database) as owner:
        kept = owner.execute(
            "DELETE FROM subject_timeline WHERE subject_id = %s RETURNING *", (subject_of(bank, POOR),)
        ).fetchall()
    with pytest.raises(Unavailable, match="not online"):
        grant(engineer(bank), people, VILLAGE, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with owner_transaction(bank.database) as owner:
        marks = ", ".join(["%s"] * len(kept[0]))
        owner.execute(f"INSERT INTO subject_timeline VALUES ({marks})", kept[0])
    assert grant(engineer(bank), people, VILLAGE, tmp_path / "out").report.whole.rows == 2


def test_the_command_prints_one_document(bank: Bank, file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    for name, value in {
        "YIDAI_HOME": bank.settings.home, "YIDAI_DATABASE_URL": bank.settings.database_url, "YIDAI_TENANT": "city",
        "YIDAI_TOKEN": bank.tokens["integration_engineer"], "YIDAI_AS_OF": "2024-12-31",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    done = CliRunner().invoke(
        app, ["grants", str(file), "--village", VILLAGE, "--out", str(tmp_path / "out"), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["applicants"] == 8


ANSWERS = st.lists(
    st.builds(
        Granted, st.just(2), st.just("d"), st.sampled_from(["approve", "refer", "decline"]), st.sampled_from(["thin_file", "general"]),
        st.integers(1, 10), st.floats(0, 1), st.integers(0, 10**7), st.tuples(st.sampled_from(["A", "B"])),
    ),
    max_size=12,
)  # fmt: skip


@given(ANSWERS)
def test_a_report_adds_up(answers: list[Granted]) -> None:
    report = report_of("v", "thin_file", answers, (), "2025-12-31")
    for name in ("rows", "approved", "referred", "declined", "limit_fen"):
        assert getattr(report.known, name) + getattr(report.thin, name) == getattr(report.whole, name)
    assert sum(report.grades) == report.whole.approved
    assert (
        report.whole.approved + report.whole.referred + report.whole.declined
        == report.whole.rows
        == len(answers)
    )
    assert sum(one.count for one in report.reasons) == report.whole.referred + report.whole.declined
