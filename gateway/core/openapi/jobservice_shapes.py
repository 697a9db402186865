"""What answers about jobs look like; see `shapes`."""

from typing import NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from gateway.core.openapi.shapes import Time


class PoolEntry(TypedDict):
    """A process that works jobs."""

    worker_pool_id: str
    host: str
    pid: int
    concurrency: int
    start_at: Time
    heartbeat_at: Time


class WorkerEntry(TypedDict):
    """A job that is in hand."""

    id: str
    pool_id: str
    job_name: str
    job_id: str
    check_in: str
    start_at: NotRequired[Time]
    checkin_at: NotRequired[Time]


class QueueEntry(TypedDict):
    """What waits of one type of jobs; the latency is in seconds."""

    job_type: str
    count: int
    latency: int
    paused: bool
