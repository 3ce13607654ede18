"""The command ``churnguard``: every verb and where it is written."""

from __future__ import annotations

import typer

from churnguard.cli.verbs import (
    audit,
    backtest,
    backup,
    build,
    check,
    config,
    db,
    demo,
    drift,
    erase,
    explain,
    export,
    horizon,
    ingest,
    init,
    keys,
    merge,
    models,
    quarantine,
    restore,
    retrain,
    run,
    score,
    serve,
    simulate,
    suppress,
    train,
    worker,
)

app = typer.Typer(
    help="See in time which customers are drifting away, why, and what is worth doing.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would cost half a second at every start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("init")(init.init)
app.command("simulate")(simulate.simulate)
app.command("ingest")(ingest.ingest)
app.add_typer(quarantine.app, name="quarantine")
app.command("check")(check.check)
app.command("horizon")(horizon.horizon)
app.command("build")(build.build)
app.command("train")(train.train)
app.command("backtest")(backtest.backtest)
app.add_typer(models.app, name="models")
app.command("drift")(drift.drift)
app.command("retrain")(retrain.retrain)
app.command("score")(score.score)
app.command("explain")(explain.explain)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.add_typer(run.app, name="run")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.command("merge")(merge.merge)
app.command("suppress")(suppress.suppress)
app.command("export")(export.export)
app.command("erase")(erase.erase)
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from churnguard import __version__

        print(f"churnguard {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_version, is_eager=True
    ),
) -> None:
    """See in time which customers are drifting away, why, and what is worth doing."""
    del version
