"""Tag gc: /system/gc. What is asked for here, the metadata service carries out."""

from collections.abc import Mapping
from typing import Any

import falcon

from gateway.core.access import require_system
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.scheduling import plan
from gateway.core.views.collection import collection_view
from gateway.core.views.schedule import job_schedule_view
from gateway.core.writing import write_page
from services.api.commands.collection import request_collection, stop_collection
from services.api.domain.collection import CollectionWish, parse_wish
from services.api.domain.schedule import ScheduleKind
from services.api.errors import SeveralRegistries
from services.api.queries import collection as queries
from services.api.queries.schedule import find_schedule
from shared.settings import Settings

_RESOURCE = "garbage-collection"


class Collections:
    """/system/gc."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the garbage collections that were asked for."""
        require_system(req, (_RESOURCE, "list"))
        listing = req.listing()
        write_page(req, resp, listing, queries.list_collections(req.database, listing), collection_view)


class OneCollection:
    """/system/gc/{gc_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, gc_id: str) -> None:
        """Show a garbage collection: how far it is, or what it freed."""
        require_system(req, (_RESOURCE, "read"))
        resp.media = collection_view(queries.get_collection(req.database, identifier(gc_id)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, gc_id: str) -> None:
        """Stop a garbage collection: one that waits at once, one that runs within some seconds."""
        require_system(req, (_RESOURCE, "stop"))
        stop_collection(req.database, identifier(gc_id), now=req.now)


class CollectionLog:
    """/system/gc/{gc_id}/log."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, gc_id: str) -> None:
        """Show what a garbage collection does or has done; empty while it waits."""
        require_system(req, (_RESOURCE, "read"))
        resp.text = queries.get_collection(req.database, identifier(gc_id)).log
        resp.content_type = falcon.MEDIA_TEXT


class CollectionSchedule:
    """/system/gc/schedule."""

    def __init__(self, settings: Settings) -> None:
        self._alone = settings.pods == 1

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show when garbage is collected by itself."""
        require_system(req, (_RESOURCE, "read"))
        resp.media = job_schedule_view(find_schedule(req.database, ScheduleKind.GARBAGE_COLLECTION))

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Collect garbage at once, or from now on by a schedule, which takes the place of another."""
        require_system(req, (_RESOURCE, "create"))
        collection_id = self._plan(req)
        resp.created(f"{API}/system/gc/{collection_id or 'schedule'}")

    def on_put(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Put another schedule in its place, end it, or collect at once."""
        require_system(req, (_RESOURCE, "update"))
        self._plan(req)

    def _plan(self, req: ApiRequest) -> int | None:
        return plan(req, ScheduleKind.GARBAGE_COLLECTION, self._wish, request_collection)

    def _wish(self, parameters: Mapping[str, Any]) -> CollectionWish:
        """What is asked for. Raises SeveralRegistries where it could not be carried out; a schedule can be ended."""
        if not self._alone:
            raise SeveralRegistries
        return parse_wish(parameters)
