"""The Dagster definitions, with one folder for each stage: its assets, its checks and its jobs.

Modules that define assets, checks or jobs must not use `from __future__ import annotations`, because Dagster reads the
annotations at run time.
"""
