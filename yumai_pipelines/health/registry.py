"""All examinations of a database, in the order in which they are shown. To add one, add it to its module's tuple."""

from __future__ import annotations

from yumai_pipelines.health.server import SERVER_EXAMINATIONS
from yumai_pipelines.health.storage import STORAGE_EXAMINATIONS
from yumai_pipelines.health.tables import TABLE_EXAMINATIONS
from yumai_pipelines.health.traffic import TRAFFIC_EXAMINATIONS

DATABASE_EXAMINATIONS = (
    *SERVER_EXAMINATIONS,
    *TABLE_EXAMINATIONS,
    *TRAFFIC_EXAMINATIONS,
    *STORAGE_EXAMINATIONS,
)
