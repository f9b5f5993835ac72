"""Every job has a limit, so that a run that hangs is ended."""

from __future__ import annotations

from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.limits import LONGEST, TAG


def test_every_job_has_a_limit_and_every_limit_a_job() -> None:
    jobs = {job.name: job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert set(jobs) == set(LONGEST)
    for name, job in jobs.items():
        assert float(job.tags[TAG]) == LONGEST[name].total_seconds()
