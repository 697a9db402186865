"""How the parts of the system are, what works on jobs and what waits."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.pages.administration import admin_page
from gateway.portal.portal import Page

PARTS: Final[dict[str, tuple[str, str, str]]] = {
    "core": ("REST API and portal", "This page and the API.", "Look at its log: breakwater logs --part core."),
    "database": (
        "PostgreSQL", "Accounts, projects, the record: all that is not a layer of an image.",
        "Nothing works without it. Look at its log, its disk and its memory; everything goes on by itself afterwards.",
    ),
    "broker": (
        "RabbitMQ", "Carries events to the services.",
        "Push, pull and this portal go on. Events wait in the database, and arrive when it is back.",
    ),
    "events": (
        "Live events", "The stream that lists follow.",
        "Lists stop refreshing by themselves; nothing is lost. Look at its log: breakwater logs --part events.",
    ),
    "registry": (
        "Registry", "Stores layers and manifests.",
        "Pushes and pulls fail. Look at its log, and at the room on its disk.",
    ),
    "token": (
        "Token service", "Says who may pull and push what.",
        "Nobody can sign in by docker, push or pull. Look at its log: breakwater logs --part token.",
    ),
    "log": (
        "Log", "Keeps what all parts say.",
        "Everything goes on, and what is said is kept when it is back. Look at its disk; then breakwater down, and up.",
    ),
    "proxy": (
        "Proxy", "The only door: all that clients send comes in by it.",
        "It does not tell its own numbers. Look at its log: breakwater logs --part proxy.",
    ),
    "intake": (
        "Intake", "Takes what the registry notifies.",
        "Pushes go on; they are recorded after it is back. Look at its log: breakwater logs --part intake.",
    ),
    "relay": (
        "Relay", "Numbers events and gives them to the broker.",
        "Events wait in the database, and arrive when it is back. Look at its log: breakwater logs --part relay.",
    ),
    "audit": (
        "Audit", "Writes the record of what was done.",
        "What it has to record waits for it. Look at its log: breakwater logs --part audit.",
    ),
    "metadata": (
        "Catalogue", "Keeps repositories, artifacts and tags as the registry has them.",
        "New tags are not listed, retention waits. Look at its log: breakwater logs --part metadata.",
    ),
    "webhook": (
        "Webhooks", "Sends what happens to the addresses of projects' policies.",
        "Deliveries wait. Look at its log: breakwater logs --part webhook.",
    ),
    "replication": (
        "Replication", "Copies artifacts to other registries and from them.",
        "Copies wait, and go on where they stood. Look at its log: breakwater logs --part replication.",
    ),
}  # fmt: skip
_NEARLY_FULL: Final = 90
_UNKNOWN: Final = ("", "A part of the system.", "Look at its log.")


class Health(Page):
    """/admin/health."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """How everything is now."""
        api = self.portal.api(req)
        health = api.get("/health")
        # none where the images lie in a bucket
        disk = next(iter(api.get("/systeminfo/volumes")["storage"]), None)
        used = disk["total"] - disk["free"] if disk else 0
        nearly_full = disk is not None and 100 * used >= _NEARLY_FULL * disk["total"]
        pools = api.get("/jobservice/pools")
        workers = api.get("/jobservice/pools/all/workers")
        self.portal.show(
            req, resp, "health.html", block="list", healthy=health["status"] == "healthy",
            parts=[_part(each) for each in health["components"]], disk=disk, used=used,
            nearly_full=nearly_full, pools=_with_jobs(pools, workers),
            queues=api.get("/jobservice/queues"), now=req.now.isoformat(),
        )  # fmt: skip


def _part(component: dict[str, str]) -> dict[str, Any]:
    name = component["name"]
    title, meaning, advice = PARTS.get(name, _UNKNOWN)
    return {
        "title": title or name, "meaning": meaning, "advice": advice, "well": component["status"] == "healthy",
        "problem": component.get("error", ""),
    }  # fmt: skip


def _with_jobs(pools: list[dict[str, Any]], workers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [pool | {"jobs": [each for each in workers if each["pool_id"] == pool["worker_pool_id"]]} for pool in pools]
