"""Parked notifications, an extension of Breakwater: what the registry sent and the intake could not accept."""

from uuid import UUID

from gateway.core.access import require_administrator
from gateway.core.bodies.parked_notification import ParkedAction, ParkedActionBody
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.parked_notification import opened_parked_view, parked_view
from gateway.core.writing import write_page
from services.webhook.commands.parked import discard_several, retry_several
from services.webhook.queries.parked import get_parked, list_parked
from shared.errors import Unprocessable


class ParkedNotifications:
    """/system/parked_notifications."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List them with the reasons, the newest first."""
        require_administrator(req)
        listing = req.listing()
        write_page(req, resp, listing, list_parked(req.database, listing), parked_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Read some again, as after an upgrade that knows more, or throw them away; those still malformed stay."""
        require_administrator(req)
        body = read_body(req, ParkedActionBody)
        wanted, chosen = body.wanted(), body.chosen()
        if wanted is ParkedAction.DISCARD:
            discard_several(req.database, chosen, context=req.event_context)
            resp.media = {"count": len(chosen), "still_malformed": 0, "events": 0}
            return
        done = retry_several(req.database, chosen, context=req.event_context)
        resp.media = {"count": done.accepted, "still_malformed": done.kept, "events": done.events}


class OneParkedNotification:
    """/system/parked_notifications/{parked_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, parked_id: str) -> None:
        """Show one with its body, of which at most 64 KiB are kept."""
        require_administrator(req)
        try:
            number = UUID(parked_id)
        except ValueError as error:
            raise Unprocessable("the id of a parked notification is a UUID") from error
        resp.media = opened_parked_view(get_parked(req.database, number))
