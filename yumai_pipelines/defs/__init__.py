"""Dagster's side of the project, a folder for each stage: what it materializes, what it checks, what people launch.

The modules with assets, checks and jobs do without `from __future__ import annotations`: Dagster reads the annotations.
"""
