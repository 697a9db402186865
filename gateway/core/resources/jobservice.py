"""Tag jobservice: /jobservice, for reading. The parts that work jobs are several; here they are shown as one."""

from typing import Final
from uuid import UUID

import falcon

from gateway.core.access import require_system
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.jobservice import pool_view, queue_view, worker_view
from services.api import tables as core
from services.api.queries import job as upkeep
from services.audit import tables as audit
from services.replication import tables as replication
from services.replication.queries import job as copying
from services.webhook import tables as webhook
from services.webhook.queries import job as delivery
from shared.errors import NotFound
from shared.jobs import JobId, JobType
from shared.pools import ListedPool, list_pools

_MONITOR = ("jobservice-monitor", "list")
_ALL = "all"
_LOGS: Final = {
    JobType.WEBHOOK: delivery.job_log,
    JobType.SLACK: delivery.job_log,
    JobType.RETENTION: upkeep.job_log,
    JobType.PURGE_AUDIT_LOG: upkeep.job_log,
    JobType.GARBAGE_COLLECTION: upkeep.job_log,
    JobType.REPLICATION: copying.job_log,
}


class Pools:
    """/jobservice/pools."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the processes that work jobs."""
        require_system(req, _MONITOR)
        resp.media = [pool_view(pool) for pool in _pools(req)]


class Workers:
    """/jobservice/pools/{pool_id}/workers."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, pool_id: str) -> None:
        """List the jobs that a process, or all of them, have in hand."""
        require_system(req, _MONITOR)
        pools = {listed.pool.id for listed in _pools(req)}
        if pool_id != _ALL:
            pools &= {_number_of(pool_id)}
            if not pools:
                raise NotFound("there is no such worker pool")
        jobs = [
            *delivery.jobs_in_hand(req.database, pools, now=req.now),
            *upkeep.jobs_in_hand(req.database, pools, now=req.now),
            *copying.jobs_in_hand(req.database, pools),
        ]
        resp.media = [worker_view(job) for job in jobs]


class Queues:
    """/jobservice/queues."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell of each type of job how many wait, and for how long."""
        require_system(req, _MONITOR)
        queues = [each for part in (delivery, upkeep, copying) for each in part.queues(req.database, now=req.now)]
        resp.media = [queue_view(queue, now=req.now) for queue in queues]


class JobLog:
    """/jobservice/jobs/{job_id}/log."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, job_id: str) -> None:
        """Show what a job has done; empty where it has not begun."""
        require_system(req, _MONITOR)
        job = JobId.parse(job_id)
        resp.text = _LOGS[job.type](req.database, job)
        resp.content_type = falcon.MEDIA_TEXT


def _pools(req: ApiRequest) -> list[ListedPool]:
    return list_pools(req.database, (webhook.pools, core.pools, audit.pools, replication.pools))


def _number_of(pool_id: str) -> UUID | None:
    try:
        return UUID(pool_id)
    except ValueError:
        return None
