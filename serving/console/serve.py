"""The console's process."""

from __future__ import annotations

import threading

from serving.process import logs
from serving.serve import open_store, probe
from serving.settings import Settings


def run_console(settings: Settings) -> None:
    """Serve the pages until stopped.

    Raises:
        PortInUse, WrongAddress: before anything is started.
        ServerDown: no database.
    """
    probe(settings.host, settings.console_port)
    database = open_store(settings)
    logs.configure(settings)
    import uvicorn  # noqa: PLC0415 - commands that serve nothing load none of it

    from serving.console.app import create_console  # noqa: PLC0415
    from serving.console.drawing import load  # noqa: PLC0415

    threading.Thread(target=load, name="drawing", daemon=True).start()
    uvicorn.run(
        create_console(settings, database), host=settings.host, port=settings.console_port, loop="uvloop",
        http="httptools", access_log=False, log_config=None, server_header=False, timeout_graceful_shutdown=3,
    )  # fmt: skip
