"""The assets, a module for each stage of the data's life. What is tested stands in `checks`.

The modules of assets and checks do without `from __future__ import annotations`: Dagster reads the annotations.
"""
