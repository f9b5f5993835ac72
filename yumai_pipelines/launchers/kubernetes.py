"""Starts runs as jobs of Kubernetes."""

from __future__ import annotations

from dagster_k8s import K8sRunLauncher

from yumai_pipelines.launchers.terminal import OthersRunsToo


class YumaiK8sRunLauncher(OthersRunsToo, K8sRunLauncher):
    """dagster-k8s's launcher."""
