"""/attention: what somebody should look at. A part by itself: a part of the system that hangs is asked for seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.portal import Page, page
from gateway.portal.rendering import count
from shared.errors import Unauthorized

_PART: Final = {
    "audit": "The audit service", "broker": "The message broker", "core": "The API", "database": "The database",
    "events": "The event stream", "intake": "The intake of notifications", "metadata": "The catalogue's service",
    "proxy": "The proxy", "registry": "The registry", "relay": "The relay of events",
    "replication": "The replication service", "token": "The token service", "webhook": "The webhooks' service",
}  # fmt: skip
_LOOKED_BACK: Final = timedelta(days=1)
_FEW: Final = 5
_AWAY: Final = 503


@dataclass(frozen=True, kw_only=True, slots=True)
class Matter:
    """One thing to look at, and where."""

    sentence: str
    path: str
    is_bad: bool = True


class Attention(Page):
    """/attention."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What is not well, as far as it is the caller's. Raises Unauthorized."""
        if not req.caller.is_authenticated:
            raise Unauthorized
        api = self.portal.api(req)
        matters = [*_parts(api), *_queues(api), *_replication(api), *_record(api)] if req.caller.is_admin else []
        self.portal.show(
            req, resp, "attention.html", block="attention", matters=[*matters, *_quotas(api)]
        )  # fmt: skip


def _parts(api: Api) -> list[Matter]:
    return [
        Matter(sentence=f"{_PART.get(part['name'], part['name'])}: {part.get('error', 'not healthy')}",
               path="/admin/health")
        for part in api.get("/health")["components"]
        if part["status"] != "healthy"
    ]  # fmt: skip


def _queues(api: Api) -> list[Matter]:
    try:
        return dead_letters(api.get("/system/queues"))
    except Refused as refused:
        if refused.status != _AWAY:
            raise
        return []  # the broker is away, which is told as its own matter


def dead_letters(queues: Iterable[dict[str, Any]]) -> list[Matter]:
    """The queues whose messages no attempt could settle."""
    return [
        Matter(
            sentence=f"{count(queue['dead_letters'], 'event')} could not be worked on in the queue {queue['name']}",
            path=f"/admin/queues/{segment(queue['name'])}",
        )
        for queue in queues
        if queue["dead_letters"]
    ]


def _replication(api: Api) -> list[Matter]:
    since = (datetime.now(UTC) - _LOOKED_BACK).strftime("%Y-%m-%dT%H:%M:%SZ")
    failed = api.listed(
        "/replication/executions", status="Failed", q=f"start_time=[{since}~],dry_run=false", page_size=_FEW
    )
    matters = [
        Matter(sentence=f"Replication {each['id']} failed: {each['status_text'] or 'its tasks say why'}",
               path=f"/replication/executions/{each['id']}")
        for each in failed.items
    ]  # fmt: skip
    if failed.total > len(failed.items):
        more = count(failed.total - len(failed.items), "more execution")
        matters.append(Matter(sentence=f"{more} failed within a day", path="/replication"))
    ill = api.listed("/registries", q="status=unhealthy", page_size=_FEW)
    return matters + [
        Matter(sentence=f"The registry {each['name']} is not healthy: {each.get('status_text', 'it does not answer')}",
               path=f"/replication/registries/{each['id']}")
        for each in ill.items
    ]  # fmt: skip


def _record(api: Api) -> list[Matter]:
    return [
        Matter(sentence=f"The audit record is broken: {check['broken']}", path="/audit/integrity")
        for check in api.get("/system/audit-checks")
        if "broken" in check
    ]


def _quotas(api: Api) -> list[Matter]:
    return [
        Matter(sentence=f"Project {each['project']} has used {each['percent']} % of its quota",
               path=f"/projects/{segment(each['project'])}", is_bad=each["percent"] >= 100)  # noqa: PLR2004 - all of it
        for each in api.get("/statistics/quotas")
    ]  # fmt: skip
