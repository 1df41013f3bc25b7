"""``yidai``: the commands of the four doors. Each may be run twice; ``--json`` is for programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from features.cli import city_app, features_app
from features.terminal import console, plain_errors, progress, show_json, show_table
from serving.access.cli import keys_app, tokens_app
from serving.access.users_cli import users_app
from serving.alerts.cli import alerts_app
from serving.analytics import cli as analytics_cli
from serving.backup.cli import backup, restore
from serving.batch.cli import decide
from serving.cases import cli as cases
from serving.classes.cli import classes_app
from serving.commands.access_log import access_log
from serving.commands.deeds import deeds
from serving.commands.features import show_features
from serving.commands.policy import policy_app
from serving.commands.signals import signals_app
from serving.consents.cli import prefill
from serving.experiments.cli import experiments_app
from serving.governance import cli as governance_cli
from serving.governance import exchange_cli, fairness_cli
from serving.governance.documents_cli import documents_app
from serving.governance.models_cli import models_app
from serving.grants.cli import grants
from serving.identity.cli import identity_app
from serving.loans.cli import loans_app
from serving.log.cli import audit_app
from serving.offers.cli import offers_app
from serving.quality.cli import quality_app, show_findings
from serving.records import cli as records
from serving.rights import cli as rights
from serving.stops.cli import approvals_app
from serving.swaps.cli import backtest
from serving.webhooks.cli import webhooks_app
from serving.work.cli import jobs_app, worker
from training import cli as analysts
from training import features_cli

app = typer.Typer(
    help="Yidai (易贷): credit decisions from point-in-time data, explained and replayable.\n\n"
    "Begin with `yidai demo`, or with `yidai city make`, `yidai ingest`, `yidai train`, `yidai serve`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(city_app, name="city")
app.add_typer(features_app, name="features")
app.add_typer(models_app, name="models")
app.add_typer(policy_app, name="policy")
app.add_typer(signals_app, name="signals")
app.add_typer(offers_app, name="offers")
loans_app.command("portfolio")(analytics_cli.portfolio)
app.add_typer(loans_app, name="loans")
app.add_typer(classes_app, name="classes")
app.add_typer(experiments_app, name="experiments")
app.add_typer(approvals_app, name="approvals")
app.add_typer(identity_app, name="identity")
app.add_typer(tokens_app, name="tokens")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
app.add_typer(jobs_app, name="jobs")
app.add_typer(webhooks_app, name="webhooks")
for group, where, slot, what in (
    (alerts_app, "alerts handling", "handling", "Who handles an alert, and by when"),
    (alerts_app, "alerts playbooks", "playbooks", "What to do about an alert"),
    (models_app, "models limits", "monitoring", "Limits of models in use"),
):
    group.add_typer(documents_app(slot, what, where), name=where.split()[1])
app.add_typer(alerts_app, name="alerts")
app.add_typer(audit_app, name="audit")
app.add_typer(quality_app, name="quality")
records.add_to(app)
cases.add_to(app)
rights.add_to(app, records.subjects_app, records.disputes_app)
app.command("predict")(analysts.predict)
models_app.command("export")(exchange_cli.export_model)
models_app.command("import")(exchange_cli.import_model)
models_app.command("expert")(exchange_cli.expert_model)
models_app.command("fairness")(fairness_cli.fairness)
models_app.command("monitor")(analytics_cli.monitor)
models_app.command("issues")(analytics_cli.issues)
models_app.command("close")(analytics_cli.close)
governance_cli.add_to(models_app)
features_app.command("show")(show_features)
features_app.command("build")(features_cli.build_features)
features_app.command("verify")(features_cli.verify_features)
app.command("decide")(decide)
app.command("worker")(worker)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("backtest")(backtest)
app.command("grants")(grants)
app.command("prefill")(prefill)
app.command("access-log")(access_log)
audit_app.command("deeds")(deeds)

OTHER_VARIABLES = ("YIDAI_DATASETS", "YIDAI_DEBUG", "YIDAI_CAMPAIGN", "YIDAI_PICTURES")
"""Variables that other parts read: public data, stack traces, the length of the long tests, the pictures of the docs."""
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="A city, or a folder of <dataset>.csv feeds.")],
    *,
    as_json: Json = False,
) -> None:
    """Load feeds: good rows into the lake, the others into quarantine with place and remedy.

    Loading a folder twice changes nothing; a run that was stopped can be started again.
    """
    from features.timeline.ingest import TOLD
    from serving import operations
    from serving.settings import Settings

    settings = Settings.load()
    with progress("ingesting") as step:
        report = operations.ingest(settings, folder, step)
    if as_json:
        show_json(report)
        return
    columns = ("dataset", "rows", "loaded", "repeated", "quarantined", "imputed known", "")
    rows = [
        (f.dataset, f"{f.rows:,}", f"{f.loaded:,}", f"{f.repeated:,}", f.quarantined, f.imputed_known, "known" * f.again)
        for f in report.files
    ]  # fmt: skip
    show_table(f"{report.loaded:,} new records", columns, rows)
    if report.quarantined:
        found = [finding for each in report.files for finding in each.findings][:TOLD]
        show_findings(f"{report.quarantined:,} rows are in quarantine; the first findings:", found)
        console.print("All of them: yidai quality quarantine")


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="access, rating, risk or warning.")],
    portfolio: analysts.Portfolio = "city",
    data: analysts.Data = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Repeats of the cross-validation, if not the portfolio's.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Train a model of a portfolio: its version, its report and, where a server is set, MLflow.

    access sets the policy's data-sufficiency limit, rating is the scorecard, risk the monotone booster; warning
    tells who of the book will default, and how likely those who are late roll to it.
    The same data give the same version. Example: yidai train risk --portfolio gmsc --data my_data
    """
    from serving.governance import analyst
    from serving.settings import Settings

    if model in analyst.TOLD:
        settings = Settings.load()
        analysts.train_and_tell(
            model,
            portfolio,
            data,
            lambda found: analyst.training_door(settings, found),
            repeats=repeats,
            as_json=as_json,
        )
        return
    with progress(f"training {model}") as step:
        trained = analyst.Trainer(Settings.load(), portfolio, data).train(model, step)
    if as_json:
        show_json({"slot": trained.slot, "path": str(trained.path), "summary": trained.summary})
        return
    console.print(f"[bold]{model}[/]: {trained.summary}")
    console.print(f"Next: yidai models submit policy {trained.path}", soft_wrap=True)


@app.command()
def serve() -> None:
    """Serve decisions over HTTP until stopped; the page of the API is at /docs."""
    from serving.serve import open_store, run
    from serving.settings import Settings

    settings = Settings.load()
    console.print(f"http://{settings.host}:{settings.port}/docs")
    run(settings, open_store)


@app.command("console")
def serve_console() -> None:
    """Serve the pages of the risk officer, the analyst, the auditor and the administrator until stopped."""
    from serving.console.serve import run_console
    from serving.settings import Settings

    settings = Settings.load()
    console.print(settings.console_url or f"http://{settings.host}:{settings.console_port}/console/")
    run_console(settings)


@app.command()
def stop() -> None:
    """Stop the embedded database, which goes on after a command ends. The next command starts it again."""
    from serving.settings import Settings
    from serving.store.engine import stop_embedded

    stop_embedded(Settings.load())
    console.print("The embedded database is stopped.")


@app.command()
def mlflow() -> None:
    """Run the MLflow server of the analysts on Yidai's PostgreSQL, with its access control on."""
    from serving.governance import analyst
    from serving.settings import Settings

    analyst.run_mlflow(Settings.load())


@app.command()
def replay(
    decision: Annotated[UUID | None, typer.Argument(help="A decision's id; all without it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Decide again from the lake and the receipt, and compare bytes. Exit code 1 where one differs."""
    from serving import operations
    from serving.settings import Settings

    found = list(operations.replay(Settings.load(), decision))
    bad = [one for one in found if one.status.value in {"different", "broken"}]
    same = sum(one.status.value == "same" for one in found)
    if as_json:
        show_json(found)
    else:
        show_table(
            f"{len(found)} decisions, {same} as they were",
            ("decision", "status", "what differs"),
            [(one.decision_id, one.status.value, "; ".join(one.differences)) for one in found],
        )
    raise typer.Exit(1 if bad else 0)


@app.command()
def watch(*, as_json: Json = False) -> None:
    """Look at every open loan: signals with their evidence become alerts. Twice raises nothing twice."""
    from serving import operations, show
    from serving.settings import Settings

    report = operations.watch(Settings.load())
    if as_json:
        show_json(report)
        return
    console.print(show.watch_summary(report, most=20))


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Say what is set up, reachable or out of date, and what to do about it."""
    from serving.doctor import doctor as examine
    from serving.settings import Settings

    checks = examine(Settings.load())
    if as_json:
        show_json(checks)
    else:
        rows = [("ok" if c.ok else "[red]no[/]", c.name, c.detail, c.remedy) for c in checks]
        show_table("yidai doctor", ("", "part", "found", "remedy"), rows)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


@app.command()
def demo(
    households: Annotated[int, typer.Option(min=300, help="Households of the city.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Another seed gives other people.")] = 1,
) -> None:
    """Run the main job from end to end: a city, its models, served decisions, their replay, the watch.

    It may be run again; what is there already is used.
    """
    from serving.demo.run import Demo
    from serving.settings import Settings

    Demo(Settings.load(), households, seed).run()


def main() -> None:
    """The console command."""
    with plain_errors():
        from serving.settings import check_names

        check_names(os.environ, OTHER_VARIABLES)
        app()


if __name__ == "__main__":
    main()
