"""Pools, their workers and the queues of jobs, as the API shows them."""

from datetime import datetime

from gateway.core.writing import Json, given, time_or_never
from shared.jobs import Job, Queue
from shared.pools import ListedPool


def pool_view(listed: ListedPool) -> Json:
    """A process that works jobs."""
    return {
        "worker_pool_id": str(listed.pool.id),
        "host": listed.pool.host,
        "pid": listed.pool.pid,
        "concurrency": listed.pool.concurrency,
        "start_at": time_or_never(listed.pool.started_at),
        "heartbeat_at": time_or_never(listed.beaten_at),
    }


def worker_view(job: Job) -> Json:
    """Whoever works a job; green threads have no names, so he goes by that of the job."""
    return {
        "id": str(job.id),
        "pool_id": str(job.pool_id),
        "job_name": job.id.type.value,
        "job_id": str(job.id),
        "check_in": job.told,
    } | given(
        start_at=time_or_never(job.started_at) if job.started_at else None,
        checkin_at=time_or_never(job.told_at) if job.told_at else None,
    )


def queue_view(queue: Queue, *, now: datetime) -> Json:
    """What waits of one type; nothing pauses a queue."""
    latency = (now - queue.oldest_at).total_seconds() if queue.oldest_at else 0
    return {
        "job_type": queue.type.value,
        "count": queue.count,
        "latency": max(0, int(latency)),
        "paused": False,
    }
