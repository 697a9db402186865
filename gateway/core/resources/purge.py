"""Tag purge: /system/purgeaudit. What is asked for here, the audit service carries out."""

from collections.abc import Mapping
from typing import Any

import falcon

from gateway.core.access import require_system
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.scheduling import plan
from gateway.core.views.purge import purge_view
from gateway.core.views.schedule import job_schedule_view
from gateway.core.writing import write_page
from services.api.commands.audit_purge import request_purge, stop_purge
from services.api.domain.audit_purge import PurgeWish, parse_wish
from services.api.domain.schedule import ScheduleKind
from services.api.queries import audit_purge as queries
from services.api.queries.schedule import find_schedule
from services.audit.purging import unknown_words
from shared.errors import BadRequest

_RESOURCE = "purge-audit"


class Purges:
    """/system/purgeaudit."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the purges that were asked for."""
        require_system(req, (_RESOURCE, "list"))
        listing = req.listing()
        write_page(req, resp, listing, queries.list_purges(req.database, listing), purge_view)


class OnePurge:
    """/system/purgeaudit/{purge_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, purge_id: str) -> None:
        """Show a purge."""
        require_system(req, (_RESOURCE, "read"))
        resp.media = purge_view(queries.get_purge(req.database, identifier(purge_id)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, purge_id: str) -> None:
        """Withdraw a purge, if nobody has begun it."""
        require_system(req, (_RESOURCE, "stop"))
        stop_purge(req.database, identifier(purge_id), now=req.now)


class PurgeLog:
    """/system/purgeaudit/{purge_id}/log."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, purge_id: str) -> None:
        """Show what a purge has done; empty while it waits."""
        require_system(req, (_RESOURCE, "read"))
        resp.text = queries.get_purge(req.database, identifier(purge_id)).log
        resp.content_type = falcon.MEDIA_TEXT


class PurgeSchedule:
    """/system/purgeaudit/schedule."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show when the record is purged by itself."""
        require_system(req, (_RESOURCE, "read"))
        resp.media = job_schedule_view(find_schedule(req.database, ScheduleKind.AUDIT_PURGE))

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Purge at once, or from now on by a schedule, which takes the place of another."""
        require_system(req, (_RESOURCE, "create"))
        purge_id = _plan(req)
        resp.created(f"{API}/system/purgeaudit/{purge_id or 'schedule'}")

    def on_put(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Put another schedule in its place, end it, or purge at once."""
        require_system(req, (_RESOURCE, "update"))
        _plan(req)


def _plan(req: ApiRequest) -> int | None:
    return plan(req, ScheduleKind.AUDIT_PURGE, _read_wish, request_purge)


def _read_wish(parameters: Mapping[str, Any]) -> PurgeWish:
    """What is to be purged. Raises BadRequest; of what nobody records a purge would quietly keep everything."""
    wish = parse_wish(parameters)
    unknown = unknown_words(wish.kinds)
    if unknown:
        raise BadRequest(f"there is no event type {unknown[0][:80]}: GET /auditlog-exts/events lists them")
    return wish
