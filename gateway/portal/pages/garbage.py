"""Collections of garbage: by themselves, now, and what the last ones freed."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.portal.forms import Form
from gateway.portal.pages.system_jobs import JobLog, JobPage, Kind, StopJob

COLLECTION: Final = Kind(
    place="/admin/garbage",
    api="/system/gc",
    noun="collection",
    saved="Garbage is no longer collected by itself.",
    trial="A trial is asked for: it deletes nothing and tells what would go.",
    stopping="A collection that has not begun is withdrawn. One that runs ends within some seconds; pushes go on then.",
    running="The collection is asked to end, which takes some seconds.",
)


class Garbage(JobPage):
    """/admin/garbage."""

    template = "garbage.html"
    ask = "garbage_ask.html"
    kind = COLLECTION

    def fields(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Whether artifacts without a tag go first."""
        return {"untagged": "yes"} if wish.get("delete_untagged") else {}

    def parameters(self, form: Form, *, trial: bool) -> dict[str, Any]:
        """As the API says."""
        return {"delete_untagged": form.flag("untagged"), "dry_run": trial}


class CollectionLog(JobLog):
    """/admin/garbage/{run_id}/log."""

    kind = COLLECTION


class StopCollection(StopJob):
    """/admin/garbage/{run_id}/stop."""

    kind = COLLECTION
