"""Builds the extracts in a run of Dagster. `benchmarks.extracts` measures its process."""

from __future__ import annotations

import json
import resource
import sys
import time

import dagster as dg

from benchmarks.extracts import MONTHS
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.resources import RESOURCES, PostgresResource


def main(url: str, first: str = MONTHS[0].partition_key, last: str = MONTHS[-1].partition_key) -> None:
    """Materialize all extracts over months, all of them by default, and report seconds and memory."""
    months = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    with dg.DagsterInstance.ephemeral() as instance:
        started = time.monotonic()
        dg.materialize(
            [extracts],
            resources={**RESOURCES, "postgres": PostgresResource(url=url)},
            instance=instance,
            tags=months,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        took = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": took, "peak_mib": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
