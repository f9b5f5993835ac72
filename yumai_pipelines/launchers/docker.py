"""Starts runs in containers of one Docker engine, with every setting that the daemon has.

dagster-docker hands on the variables that `dagster.yaml` names, one by one, and refuses a name that is not set. A
setting that is forgotten there would be another in the runs than in the schedules: another zone, no smallest group.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dagster_docker import DockerRunLauncher

from yumai_pipelines.launchers.terminal import OthersRunsToo
from yumai_pipelines.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from dagster._serdes.config_class import ConfigurableClassData

HANDED_ON = (PREFIX, "AWS_", "DAGSTER_LOGS_")
"""What the names of variables begin with that a run has from the process that starts it."""


class YumaiDockerRunLauncher(OthersRunsToo, DockerRunLauncher):
    """dagster-docker's launcher. The values stay in the environment; only names are in Dagster's records."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Hand on the settings, besides the variables that the configuration names."""
        given = list(config_value.get("env_vars") or [])
        settings = sorted(name for name in os.environ if name.startswith(HANDED_ON) and name not in given)
        return cls(inst_data=inst_data, **{**config_value, "env_vars": [*given, *settings]})
