"""Dagster's webserver behind the guard: `python -m yumai_pipelines.webserver WORKSPACE PORT [ADDRESS]`.

`yumai dev` starts it on 127.0.0.1. In a container it listens on 0.0.0.0, and people reach it by `YUMAI_UI_URL`. The
guard is put in front here, and not by an option, so that no version of Dagster can lose it.
"""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import suppress

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from yumai_pipelines.local.guard import OwnPagesOnly
from yumai_pipelines.local.reports import WithReports
from yumai_pipelines.report.storage import ReportStore
from yumai_pipelines.settings import Settings

HOST = "127.0.0.1"
_SECONDS_TO_END = 5
"""Browsers keep connections open for as long as they show a page."""


def main(workspace: str, port: int, address: str = HOST) -> None:
    """Serve the code locations of a workspace.yaml until a signal, with the instance of DAGSTER_HOME."""
    settings = Settings()
    logging.getLogger("dagster").setLevel(logging.ERROR)
    # The code servers end with the context, so a request to end must not end this process at once.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    with (
        suppress(KeyboardInterrupt),
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([workspace]), version=dg.__version__, code_server_log_level="warning"
        ) as context,
    ):
        application = create_app_from_workspace_process_context(context, live_data_poll_rate=2000)
        uvicorn.run(
            OwnPagesOnly(WithReports(application, _read_report), settings.ui_url),
            host=address,
            port=port,
            log_level="error",
            # The guard judges what the browser sent, and not what a header says of it.
            proxy_headers=False,
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )


def _read_report(month: str | None, suffix: str) -> bytes | None:
    """The page of a month, or of the last one; None where there is none."""
    reports = ReportStore.of(Settings())
    names = reports.names(suffix, month or "????-??")
    return reports.read(names[-1]) if names else None


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
