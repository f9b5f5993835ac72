"""The months' partitions of `chatbot.conversations`: made, filled and described while everybody reads and writes."""

from yumai_pipelines.online_ddl import LockNotObtainedError, LockPolicy
from yumai_pipelines.partitions.ensure import MonthReport, ensure_months
from yumai_pipelines.partitions.tables import (
    BoundsError,
    NameTakenError,
    Partition,
    PartitionError,
    describe_partitions,
)

__all__ = [
    "BoundsError",
    "LockNotObtainedError",
    "LockPolicy",
    "MonthReport",
    "NameTakenError",
    "Partition",
    "PartitionError",
    "describe_partitions",
    "ensure_months",
]
