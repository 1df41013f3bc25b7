"""The analyst's work in a browser, and the risk officer's word on it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from serving.access.model import Permission, Role
from serving.access.repository import create_token
from serving.registry.governance import ModelEntry, register
from serving.registry.model import EvidenceKind
from tests.browser.conftest import Opened, picture
from tests.browser.test_officer import sound
from tests.serving.console.test_monitoring_page import keep
from tests.serving.desk import Desk, comparison, fairness, model, report
from tests.serving.world import Bank

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.usefixtures("nothing_promised"),
    pytest.mark.skipif(
        os.environ.get("YIDAI_CAMPAIGN") == "slice", reason="not in the slice of the long runs"
    ),
]
PAGES = (
    "/models",
    "/models/slots/bundle.risk",
    "/policy",
    "/policy/edit/policy",
    "/data/features",
    "/monitoring",
)


@pytest.fixture
def desk(bank: Bank) -> Desk:
    """A champion that meets every gate, and people who submit by commands too."""
    found = Desk(bank)
    entry = ModelEntry(
        "bundle.risk", 1, "risk desk", "PD of household loans", "No firms; no loans over 36 months"
    )
    register(bank.database, found.asks("analyst", Permission.SUBMIT), entry, bank.clock())
    found.promote("bundle.risk", found.ready())
    return found


def challenger(desk: Desk, author: str) -> str:
    """A version of ada's with evidence, that nobody has approved."""
    bank = desk.bank
    bank.tokens[author] = create_token(bank.database, "city", author, [Role.RISK_OFFICER], bank.clock())
    digest = desk.submit(model(), role=author)
    champion = desk.in_force()["bundle.risk"]
    for kind, data in (
        (EvidenceKind.REPORT, report(digest)),
        (EvidenceKind.FAIRNESS, fairness(digest)),
        (EvidenceKind.COMPARISON, comparison(digest, champion)),
    ):
        desk.attach(digest, kind, data, role=author)
    return digest


def force(page: Page, target: str, **fields: str) -> None:
    """Send a form that the page does not offer, with the session's own token."""
    page.evaluate(
        """([target, fields]) => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = target;
            fields.csrf = document.querySelector("[name=csrf]").value;
            for (const [name, value] of Object.entries(fields)) {
                const input = document.createElement("input");
                input.name = name;
                input.value = value;
                form.append(input);
            }
            document.body.append(form);
            form.submit();
        }""",
        [target, fields],
    )


def test_two_people_promote_a_challenger_and_its_author_is_refused(
    desk: Desk, opened: Opened, tmp_path: Path
) -> None:
    author, other = opened("ada", Role.RISK_OFFICER), opened("ann", Role.RISK_OFFICER)
    digest = challenger(desk, "ada")
    target = f"/console/models/{digest}"
    author.goto(target)
    expect(author.locator("text=You submitted this version")).to_be_visible()
    force(author, f"{target}/approve", verdict="approved")
    expect(author.locator("[role=alert]")).to_contain_text("author")
    other.click("nav >> text=Models")
    assert sound(other) == []
    picture(other, "models", tmp_path)
    other.click(f"text={digest[:12]}")
    assert sound(other) == []
    other.wait_for_load_state("networkidle")
    picture(other, "model", tmp_path)
    other.fill("textarea[name=reason] >> nth=0", "Read the report and the comparison.")
    other.click("button[value=approved]")
    expect(other.locator("main")).to_contain_text("Every gate is met")
    other.click("text=Put in force now")
    expect(other.locator("h1")).to_contain_text("In force")
    assert desk.in_force()["bundle.risk"] == digest


def test_a_policy_with_a_fault_is_mended_submitted_and_begun(
    desk: Desk, opened: Opened, tmp_path: Path
) -> None:
    mia, ann = opened("mia", Role.ANALYST), opened("ann", Role.RISK_OFFICER)
    mia.click("nav >> text=Policy")
    mia.click("tbody a.button >> nth=0")
    text = mia.input_value("textarea")
    mia.fill("textarea", text.replace("fact: age_years", "fact: agge_years", 1))
    mia.click("text=Save and check")
    expect(mia.locator("#findings")).to_contain_text("agge_years")
    expect(mia.locator("#findings")).to_contain_text(re.compile(r"line \d+"))
    expect(mia.locator("textarea")).to_have_value(re.compile("agge_years"))
    assert sound(mia) == []
    picture(mia, "policy", tmp_path)
    mia.fill("textarea", text.replace("value: 18", "value: 19", 1))
    mia.click("text=Save and check")
    expect(mia.locator("main")).to_contain_text('"value":19')
    mia.fill("[name=note]", "Adults from nineteen on.")
    mia.click("button[value=submit]")
    expect(mia.locator("h1")).to_contain_text("Submitted")
    ann.goto(mia.url)
    ann.click("button[value=approved]")
    ann.click("form[action$=activate] button")
    expect(ann.locator("h1")).to_contain_text("In force")
    assert desk.in_force()["policy"] in ann.url


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_page_is_open_to_everybody_and_fits_a_phone(
    bank: Bank, desk: Desk, opened: Opened, language: str
) -> None:
    keep(bank)
    page = opened("mia", Role.ANALYST, language, 390)
    version = f"/models/{desk.in_force()['bundle.risk']}"
    text = f"/policy/versions/{desk.in_force()['policy']}"
    for address in (*PAGES, version, text, "/data", "/data/features/bur_overdue_cnt_12m"):
        page.goto(f"/console{address}")
        expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0, timeout=20_000)
        assert sound(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address


def test_the_catalogue_leads_from_a_word_to_what_reads_a_feature(opened: Opened, tmp_path: Path) -> None:
    page = opened("mia", Role.ANALYST, script=False)
    page.click("nav >> text=Data")
    page.click("text=Feature catalogue")
    page.fill("[name=q]", "months overdue 12m")
    page.click("form button >> text=Search")
    page.click("tbody a >> nth=0")
    expect(page.locator("ol.story")).to_contain_text("Risk model")
    picture(page, "feature", tmp_path)
