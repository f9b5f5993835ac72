"""Runs of the graph on a test's database, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg

from tests.processes import finished
from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.defs.evaluations import sql_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.local.server import program

CONVERSATIONS = dg.AssetKey(["chatbot", "conversations"])
FUNNEL = dg.AssetKey(["extracts", "recommendation_funnel"])


def months(first: str, last: str | None = None) -> dict[str, str]:
    """Return the tags of a run for one month or a range of months, as Dagster's UI sets them."""
    if last is None:
        return {"dagster/partition": f"{first}-01"}
    return {
        "dagster/asset_partition_range_start": f"{first}-01",
        "dagster/asset_partition_range_end": f"{last}-01",
    }


def leaving(first: str, last: str | None = None, **options: object) -> dict[str, Any]:
    """Return the options of a run that takes months out of the database."""
    return {"dry_run": False, "first": first, "last": last or first, **options}


def advice(evaluation: dg.AssetCheckEvaluation) -> dict[str, str]:
    """Return the blocks of SQL of a failed check, by what each does."""
    return dict(sql_of(evaluation.metadata))


def follow_the_advice(url: str, evaluation: dg.AssetCheckEvaluation, *, but: str = "no block") -> None:
    """Paste each block that a failed check advises into a psql of its own, but those that begin with `but`."""
    for does, block in advice(evaluation).items():
        if not does.startswith(but):
            psql = [str(program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", url]
            pasted = finished(psql, typed=f"{block}\n")
            assert pasted.returncode == 0, f"{does}: {pasted.stderr}"


@dataclass(frozen=True)
class Run:
    """A finished run."""

    outcome: dg.ExecuteInProcessResult

    @property
    def success(self) -> bool:
        return self.outcome.success

    def errors(self) -> list[str]:
        """Return what failed steps say, with the causes of their errors."""
        failures = self.outcome.filter_events(lambda event: event.is_step_failure)
        return [str(event.step_failure_data.error) for event in failures]

    def materialized(self, *path: str) -> dict[str | None, dict[str, Any]]:
        """Return the metadata of each materialization of an asset, by partition."""
        return {
            event.materialization.partition: {key: value.value for key, value in event.materialization.metadata.items()}
            for event in (each.step_materialization_data for each in self.outcome.get_asset_materialization_events())
            if event.materialization.asset_key == dg.AssetKey(path)
        }

    def told(self) -> dict[str, Any]:
        """Return the metadata of what the first op returned."""
        output = next(event for event in self.outcome.all_events if event.is_successful_output)
        return {key: value.value for key, value in output.step_output_data.metadata.items()}

    def evaluations(self, *path: str) -> dict[str | None, dg.AssetCheckEvaluation]:
        """Return the evaluations of a check (its asset's path, then its name), by partition."""
        *asset, name = path
        return {
            each.partition: each
            for each in self.outcome.get_asset_check_evaluations()
            if (each.asset_key, each.check_name) == (dg.AssetKey(asset), name)
        }

    def evaluation(self, *path: str) -> dg.AssetCheckEvaluation:
        """Return the only evaluation of a check."""
        (evaluation,) = self.evaluations(*path).values()
        return evaluation

    def failed_checks(self) -> set[str]:
        """Return the failed checks, as in `chatbot/conversations:no_orphans`."""
        return {
            f"{each.asset_key.to_user_string()}:{each.check_name}"
            for each in self.outcome.get_asset_check_evaluations()
            if not each.passed
        }


@dataclass(frozen=True)
class Graph:
    """The graph on one database, with an ephemeral Dagster instance."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance

    @classmethod
    def on(cls, url: str, instance: dg.DagsterInstance) -> Graph:
        return cls(build_definitions({"postgres": PostgresResource(url=url)}), instance)

    def run(self, job: str, tags: dict[str, str] | None = None, **config: object) -> Run:
        """Run a job, whether it succeeds or not. `config` is the configuration of its first op."""
        definition = self.definitions.resolve_job_def(job)
        first = definition.nodes_in_topological_order[0]
        run_config = {"ops": {first.name: {"config": config}}} if config else None
        return Run(
            definition.execute_in_process(
                instance=self.instance, tags=tags, run_config=run_config, raise_on_error=False
            )
        )

    def materialize(self, *keys: dg.AssetKey, tags: dict[str, str] | None = None) -> Run:
        """Materialize assets as from the UI, which also runs their checks."""
        everything = self.definitions.resolve_implicit_global_asset_job_def()
        return self._execute(everything.get_subset(asset_selection=set(keys)), tags)

    def check(self, *path: str, tags: dict[str, str] | None = None) -> Run:
        """Execute one check (its asset's path, then its name) as from the UI."""
        *asset, name = path
        everything = self.definitions.resolve_implicit_global_asset_job_def()
        chosen = {dg.AssetCheckKey(dg.AssetKey(asset), name)}
        return self._execute(everything.get_subset(asset_selection=set(), asset_check_selection=chosen), tags)

    def check_asset(self, *path: str) -> Run:
        """Execute every check of one asset, and nothing else."""
        return self._check({key for key in self._check_keys() if key.asset_key == dg.AssetKey(path)})

    def check_everything(self) -> Run:
        """Execute every check of the schema, its tables and its view, and nothing else."""
        return self._check({key for key in self._check_keys() if key.asset_key.path[0] != "extracts"})

    def _check_keys(self) -> set[dg.AssetCheckKey]:
        return set(self.definitions.resolve_asset_graph().asset_check_keys)

    def _check(self, chosen: set[dg.AssetCheckKey]) -> Run:
        everything = self.definitions.resolve_implicit_global_asset_job_def()
        return self._execute(everything.get_subset(asset_selection=set(), asset_check_selection=chosen), None)

    def _execute(self, job: dg.JobDefinition, tags: dict[str, str] | None) -> Run:
        return Run(job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False))
