"""The months' partitions of `chatbot.conversations`: made, filled and described while everybody reads and writes."""

from yumai_pipelines.online_ddl import LockNotObtainedError, LockPolicy
from yumai_pipelines.partitions.ensure import MonthReport, archived_months, ensure_months
from yumai_pipelines.partitions.tables import (
    ArchivedMonthError,
    BoundsError,
    NameTakenError,
    Partition,
    PartitionError,
    describe_partitions,
)

__all__ = [
    "ArchivedMonthError",
    "BoundsError",
    "LockNotObtainedError",
    "LockPolicy",
    "MonthReport",
    "NameTakenError",
    "Partition",
    "PartitionError",
    "archived_months",
    "describe_partitions",
    "ensure_months",
]
