"""The pages of data: sources by quality and day, quarantine, and the catalogue of features with their lineage."""

from __future__ import annotations

import re
import time

import pytest

from features.identity.numbers import person_check_digit
from features.quality.drift import Change
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving.access.model import Role
from serving.console.words import words
from serving.store.keys import KeyRing
from serving.store.vault import PostgresVault
from tests.serving.console.conftest import Sign
from tests.serving.console.desk import Guest, text_of
from tests.serving.world import PLAN, Bank

WRONG = "330106198506129990"


@pytest.fixture(scope="module")
def refused(bank: Bank) -> None:
    """Two lines of a feed that break the contract."""
    assert person_check_digit(WRONG[:17]) != WRONG[17]
    folder = bank.settings.home / "late"
    (folder / "feeds").mkdir(parents=True)
    (folder / "city.json").write_text("{}")
    lines = [f"{WRONG},2024-1{n},4000,E9,paid,2024-12-05T09:00:00" for n in range(2)]
    head = "id_number,period,base,employer,status,published_at"
    (folder / "feeds" / "social_insurance.csv").write_text("\n".join([head, *lines, ""]))
    vault = PostgresVault(bank.database, KeyRing.open(bank.settings.key_file))
    ingest_folder(folder, PLAN.contracts, vault, Lake(bank.settings.lake_root))


def worked_out(guest: Guest, path: str) -> str:
    """A page once the sources are judged; until then it asks again by itself."""
    page = guest.get(path)
    for _ in range(400):
        if "http-equiv" not in page.text:
            break
        time.sleep(0.05)
        page = guest.get(path)
    assert page.status_code == 200
    return page.text


@pytest.mark.usefixtures("refused")
def test_sources_stand_with_their_scores_and_what_is_in_quarantine(signed: Sign) -> None:
    mia = signed("mia", Role.ANALYST)
    listed = worked_out(mia, "/data")
    row = re.search(r"<tr data-row>(?:(?!</tr>).)*social_insurance.*?</tr>", listed, re.DOTALL)
    assert row
    assert re.search(r'In quarantine">2<', row[0])
    page = worked_out(mia, "/data/sources/social_insurance")
    assert "wrong check digit" in page
    assert WRONG not in page, "a refused value is not shown"
    drawn = re.search(r'<img src="/console(/pictures/[^"]+)"', page)
    assert drawn
    assert "<svg" in mia.get(drawn[1]).text
    assert "ss_months_12m" in page, "a feature that reads it"


def test_features_are_found_by_words_source_and_reader_a_page_at_a_time(signed: Sign) -> None:
    mia = signed("mia", Role.ANALYST)
    first = mia.get("/data/features").text
    following = re.search(r'rel="next" href="/console([^"]+)"', first)
    assert following
    names = set(re.findall(r"/data/features/([a-z0-9_]+)", first))
    rest = set(re.findall(r"/data/features/([a-z0-9_]+)", mia.get(following[1].replace("&amp;", "&")).text))
    assert len(names) == 50
    assert not names & rest
    found = mia.get("/data/features?slot=bundle.risk&q=overdue").text
    assert re.findall(r"/data/features/([a-z0-9_]+)", found) == ["bur_overdue_cnt_12m"]
    assert "There is nothing here" in text_of(mia.get("/data/features?q=%3Cscript%3E"))


def test_a_feature_tells_where_it_comes_from_and_what_reads_it(signed: Sign, bank: Bank) -> None:
    mia = signed("mia", Role.ANALYST)
    told = text_of(mia.get("/data/features/bur_overdue_cnt_12m"))
    assert "raises risk" in told
    assert "Credit-bureau repayments" in told
    assert "Risk model" in told
    assert mia.get("/data/features/nothing").status_code == 404
    assert mia.get("/data/features/%3Cscript%3E").status_code == 404
    assert mia.get("/data/sources/nothing").status_code == 404
    composed = next(c.name for c in PLAN.columns if "+" in c.dataset)
    assert "Composed of" in text_of(mia.get(f"/data/features/{composed}"))


def test_only_who_may_read_the_registry_reads(signed: Sign, guest: Guest) -> None:
    assert guest.get("/data").status_code == 303
    for role in (Role.AUDITOR, Role.RISK_OFFICER):
        assert signed(f"as {role}", role).get("/data/features").status_code == 200


def test_values_have_names() -> None:
    assert not [each for each in Change if f"drift.{each}" not in words()]
    assert not [sign for sign in (-1, 0, 1) if f"sign.{sign}" not in words()]
