"""Purges of the audit record."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.portal.forms import Form
from gateway.portal.pages.sheets import Visit
from gateway.portal.pages.system_jobs import JobLog, JobPage, Kind, StopJob

_DAY: Final = 24
PURGE: Final = Kind(
    place="/admin/audit-purge",
    api="/system/purgeaudit",
    noun="purge",
    saved="The record is no longer purged by itself.",
    trial="A trial is asked for: its log will tell what would go.",
    stopping="A purge that has not begun is withdrawn. One that has begun goes on to its end.",
    running="It was too late: the purge is running.",
)


class AuditPurge(JobPage):
    """/admin/audit-purge."""

    template = "audit_purge.html"
    ask = "audit_purge_ask.html"
    kind = PURGE

    def fields(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """How long records are kept, in days where that goes, and which kinds go then."""
        if not wish:
            return {"keep": 90, "unit": "days"}
        hours = wish["audit_retention_hour"]
        whole_days = hours % _DAY == 0
        kinds = str(wish.get("include_event_types", wish.get("include_operations", "")))
        return {
            "keep": hours // _DAY if whole_days else hours,
            "unit": "days" if whole_days else "hours",
            "kinds": [kind.strip() for kind in kinds.split(",")],
        }

    def parameters(self, form: Form, *, trial: bool) -> dict[str, Any]:
        """As the API says. Raises BadForm."""
        return {
            "audit_retention_hour": form.number("keep") * (_DAY if form.text("unit") == "days" else 1),
            "include_event_types": ",".join(form.all("kinds")),
            "dry_run": trial,
        }

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """The kinds of records besides."""
        kinds = [each["event_type"] for each in visit.api.get("/auditlog-exts/events")]
        return super().values(visit, form) | {"kinds": kinds, "chosen": set(form.all("kinds"))}


class PurgeLog(JobLog):
    """/admin/audit-purge/{run_id}/log."""

    kind = PURGE


class StopPurge(StopJob):
    """/admin/audit-purge/{run_id}/stop."""

    kind = PURGE
