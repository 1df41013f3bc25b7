"""The main job from end to end, as four people would do it: city, models, decisions, replay, watch."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from features.calendar import iso, months_before
from features.city.make import make_city
from features.consent import Purpose
from features.errors import Unavailable
from features.terminal import console, progress
from serving import operations, show
from serving.access.model import Role
from serving.analytics.nightly import report_book
from serving.clock import wall_clock
from serving.demo.access import PEOPLE, passwords, tokens
from serving.demo.agreements import borrowers, consented, sign
from serving.demo.processes import Api, answers, free_port, running, wait_until
from serving.demo.promoting import put_in_force
from serving.governance.analyst import ACCESS, SCORED, TrainedModel, Trainer, mlflow_environment
from serving.log import operations as sealed_log
from serving.log.cli import summary
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import open_database

MONTHS = 48
PORTFOLIO = "city"
MOST_ASKED = 80
"""Applicants that are asked for until each outcome has been seen."""
REQUEST = {"product": "consumer", "term_months": 12, "purpose": "farming", "region": "county",
           "checks": {"identity": "passed", "aml": "clear"}}  # fmt: skip


class OutcomeNotSeen(Unavailable):
    """So many applicants, and one of the three outcomes never came."""

    def __init__(self, asked: int, missing: str) -> None:
        super().__init__(
            f"none of {asked} applicants was answered {missing}.",
            remedy="Take more --households or another --seed.",
        )


@dataclass(slots=True)
class Demo:
    """One run. ``settings`` are those of the home; each person acts under a token of their own."""

    settings: Settings
    households: int
    seed: int
    step: int = 0

    def run(self) -> None:
        """Everything, in order; may be run again."""
        began = time.monotonic()
        with ExitStack() as stack:
            self._title("A city whose true risk is known")
            city = self._city()
            self._title("The people, and their feeds")
            people = self._people()
            self._ingest(city)
            self._title("Models, tracked in MLflow")
            models = self._train(stack)
            self._title("Two people put them in force")
            self._promote(people, models)
            self._title("Three applicants over HTTP")
            api = self._decide(stack, people, city)
            self._title("The auditor replays every decision")
            self._replay(people)
            self._title("The risk officer watches the book")
            self._watch(people, api, city)
            self._audit(people)
        self._next(time.monotonic() - began)

    def _title(self, text: str) -> None:
        self.step += 1
        console.rule(f"[bold]{self.step} · {text}[/]", align="left", style="dim")

    def _city(self) -> Path:
        folder = self.settings.home / "demo" / f"city-{self.households}-{self.seed}"
        if (folder / "city.json").exists():
            console.print(f"{folder} is there already.")
        else:
            with progress("making the city") as step:
                summary = make_city(
                    folder, households=self.households, months=MONTHS, seed=self.seed, progress=step
                )
            console.print(f"{folder}: {summary}.")
        ends_at = int(msgspec.json.decode((folder / "city.json").read_bytes())["ends_at"])
        self.settings = replace(self.settings, as_of=ends_at)
        leave_moment(self.settings.home, ends_at)
        console.print(
            f"Its last record is of {iso(months_before(ends_at, 1))[:7]}; we stand on {iso(ends_at)}."
        )
        return folder

    def _people(self) -> dict[Role, str]:
        open_store(self.settings)
        found = tokens(self.settings)
        passwords(self.settings)
        console.print(
            "An analyst submits, a risk officer approves, a bank's system asks, an auditor replays."
        )
        return found

    def _ingest(self, city: Path) -> None:
        with progress("ingesting") as step:
            report = operations.ingest(self.settings, city, step)
        again = sum(file.again for file in report.files)
        console.print(
            f"{report.loaded:,} records loaded, {report.quarantined:,} quarantined with their place and remedy "
            f"({len(report.files)} feeds, {again} of them known already)."
        )

    def _train(self, stack: ExitStack) -> list[TrainedModel]:
        address = f"http://127.0.0.1:{self.settings.mlflow_port}"
        if not answers(address, "/health"):
            log = self.settings.home / "demo" / "mlflow.log"
            process = stack.enter_context(running("mlflow", self._environment(), log))
            with progress("starting the MLflow server (its first start takes half a minute)"):
                wait_until(address, "/health", process, log, "the MLflow server")
        os.environ.update(mlflow_environment(self.settings))
        trainer, models = Trainer(self.settings, PORTFOLIO), []
        for name in (*SCORED, ACCESS):
            with progress(f"training {name}") as step:
                models.append(trainer.train(name, step))
            console.print(f"[bold]{name}[/]: {models[-1].summary}")
        return models

    def _promote(self, people: dict[Role, str], models: list[TrainedModel]) -> None:
        analyst = replace(self.settings, token=people[Role.ANALYST])
        officer = replace(self.settings, token=people[Role.RISK_OFFICER])
        done = put_in_force(analyst, officer, PORTFOLIO, models, f"demo, seed {self.seed}")
        for slot, name in done.slots.items():
            console.print(f"  {slot:16} {name[:12]}")
        console.print("Submitted by the analyst, approved by the risk officer, promoted in one transaction.")
        for slot, standings in done.standings.items():
            for one in standings:
                if not one.met:
                    console.print(f"  [yellow]waived[/] for {slot}: ", end="")
                    console.print(str(one), markup=False, soft_wrap=True)

    def _decide(self, stack: ExitStack, people: dict[Role, str], city: Path) -> Api:
        port = free_port(self.settings.port)
        address = f"http://127.0.0.1:{port}"
        log = self.settings.home / "demo" / "serve.log"
        process = stack.enter_context(running("serve", self._environment(YIDAI_PORT=str(port)), log))
        wait_until(address, "/health/ready", process, log, "the decision API")
        api = Api(address, people[Role.INTEGRATION_ENGINEER])
        seen: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
        asked = 0
        for number in applicants(city):
            if len(seen) == len(show.OUTCOMES) or asked == MOST_ASKED:
                break
            asked += 1
            consent, body, answer = self._apply(api, number)
            if not seen:
                known = api.ask("POST", "/v1/prefill", {"id_number": number, "consent_id": consent})
                console.print(show.prefill_table(known))
            seen.setdefault(answer["outcome"], (number, body, answer))
        for outcome in show.OUTCOMES:
            if outcome not in seen:
                raise OutcomeNotSeen(asked, outcome)
            console.print(show.decision_panel(*seen[outcome]))
        console.print(f"{asked} applications were decided and stored; these are the first of each outcome.")
        return api

    def _apply(self, api: Api, number: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
        consent = consented(api, self.settings.tenant, number, Purpose.CREDIT_ASSESSMENT)
        body = {"applicant": {"id_number": number}, "consent_id": consent, "amount_yuan": "30000", **REQUEST}
        answer = api.ask("POST", "/v1/decisions", body, {"Idempotency-Key": f"demo-{consent}"})
        return consent, body, answer

    def _replay(self, people: dict[Role, str]) -> None:
        found = list(operations.replay(replace(self.settings, token=people[Role.AUDITOR])))
        same = sum(one.status.value == "same" for one in found)
        console.print(
            f"{same} of {len(found)} decisions were computed again from the lake to the same bytes."
        )
        for one in found:
            if one.status.value != "same":
                console.print(f"[red]{one.decision_id} {one.status.value}[/]: {'; '.join(one.differences)}")

    def _watch(self, people: dict[Role, str], api: Api, city: Path) -> None:
        with progress("the consents of the loans' contracts") as step:
            given, before = sign(self.settings, api, borrowers(city), step)
        console.print(
            f"{given:,} borrowers with an open loan agreed in its contract to be watched ({before:,} had before)."
        )
        report = operations.watch(replace(self.settings, token=people[Role.RISK_OFFICER]))
        console.print(show.watch_summary(report))
        with progress("the book month by month, as each night works it out"):
            report_book(self.settings, open_database(self.settings), self.settings.tenant, wall_clock(), None)

    def _audit(self, people: dict[Role, str]) -> None:
        """Seal what was decided, and verify the whole log."""
        sealed_log.seal_all(self.settings, open_store(self.settings), wall_clock())
        auditor = replace(self.settings, token=people[Role.AUDITOR])
        console.print(f"The sealed log: {summary(sealed_log.verify(auditor, [], lambda *_: None))}")

    def _environment(self, **more: str) -> dict[str, str]:
        assert self.settings.as_of is not None
        return {"YIDAI_HOME": str(self.settings.home), "YIDAI_AS_OF": iso(self.settings.as_of), **more}

    def _next(self, seconds: float) -> None:
        assert self.settings.as_of is not None
        home, as_of = self.settings.home, iso(self.settings.as_of)
        console.rule("[bold]Next[/]", align="left", style="dim")
        console.print(
            f"Done in {seconds:.0f} s. Open next:\n"
            f"  the console              make serve   then http://127.0.0.1:{self.settings.console_port}/console/   "
            f"as of {as_of}, as {PEOPLE[Role.RISK_OFFICER]} (passwords: {home}/demo/passwords.json)\n"
            f"  the API and its page     the same     then http://127.0.0.1:{self.settings.port}/docs\n"
            f"  the models' account      make mlflow   then http://127.0.0.1:{self.settings.mlflow_port}\n"
            f"  the validation reports   {home}/models/{PORTFOLIO}/*/*/report.html\n"
            f"  what is in force         YIDAI_TOKEN=... yidai models list   (tokens: {home}/demo/tokens.json)\n"
            f"  your own data            docs/portfolio.md",
            soft_wrap=True,
        )


def leave_moment(home: Path, as_of: int) -> None:
    """Where `make serve` finds as of when (µs) a home's sample city is looked at, unless it is told."""
    (home / "demo" / "as_of").write_text(f"{iso(as_of)}\n", encoding="utf-8")


def applicants(city: Path) -> Iterator[str]:
    """Heads of the city's households, in the order of its register."""
    with (city / "feeds" / "population_register.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["role"] == "head":
                yield row["id_number"]
