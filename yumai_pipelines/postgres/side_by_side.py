"""Runs tasks on several connections at the same time. If one fails, the others are cancelled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from yumai_pipelines.postgres.endings import UNWANTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yumai_pipelines.postgres.connections import Connection

L = TypeVar("L")
T = TypeVar("T")

SECONDS_UNTIL_TOLD_AGAIN = 0.1
"""The seconds after which a task that still runs is cancelled again: the first time, it may have been between two
statements."""


def side_by_side(
    lanes: Sequence[L], tasks: Sequence[Callable[[L], T]], connection_of: Callable[[L], Connection]
) -> list[T]:
    """Run tasks on lanes, as many at the same time as there are lanes.

    Args:
        lanes: each has a connection of its own, and runs one task at a time.
        tasks: functions that do something on a lane; they are started in this order.
        connection_of: returns the connection of a lane.

    Returns:
        The results of the tasks, in their order.

    Raises:
        BaseException: the error of the first task that failed, or the one that interrupted this function. By then, the
            other tasks have been cancelled.
    """
    free = SimpleQueue[L]()
    for lane in lanes:
        free.put(lane)

    def do(task: Callable[[L], T]) -> T:
        lane = free.get()
        try:
            return task(lane)
        finally:
            free.put(lane)

    with ThreadPoolExecutor(len(lanes) or 1) as pool:
        running = [pool.submit(do, task) for task in tasks]
        try:
            for each in as_completed(running):
                each.result()
        except BaseException:
            UNWANTED.update(map(connection_of, lanes))
            pool.shutdown(wait=False, cancel_futures=True)
            # What never began is cancelled by now, and nobody waits for it.
            begun = [each for each in running if not each.cancelled()]
            while wait(begun, timeout=SECONDS_UNTIL_TOLD_AGAIN).not_done:
                for connection in map(connection_of, lanes):
                    if not connection.closed:
                        connection.cancel_safe()
            raise
        return [each.result() for each in running]
