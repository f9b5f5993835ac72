"""Work that is shared out among connections, and ends as a whole."""

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
"""How long a task that is no longer wanted may go on, in seconds, before it is told so again: it may have been between
two statements."""


def side_by_side(
    lanes: Sequence[L], tasks: Sequence[Callable[[L], T]], connection_of: Callable[[L], Connection]
) -> list[T]:
    """Do tasks on lanes, as many at once as there are lanes.

    Args:
        lanes: each with a connection of its own; no two tasks use one at the same time.
        tasks: what is done on a lane, begun in this order.
        connection_of: of a lane.

    Returns:
        What the tasks returned, in their order.

    Raises:
        BaseException: of the first task that failed, or of whoever stopped this one. The others are cancelled by then.
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
            while wait(running, timeout=SECONDS_UNTIL_TOLD_AGAIN).not_done:
                for connection in map(connection_of, lanes):
                    if not connection.closed:
                        connection.cancel_safe()
            raise
        return [each.result() for each in running]
