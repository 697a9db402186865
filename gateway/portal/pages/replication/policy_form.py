"""The form of a replication policy, new or changed."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api
from gateway.portal.forms import Form
from gateway.portal.pages.replication import words
from gateway.portal.pages.replication.policies import POLICIES, PolicyPage, PolicyVisit, policy_path
from gateway.portal.pages.sheets import Anybody, FormPage, Visit, filled
from gateway.portal.portal import Page, page
from services.replication.domain.mapping import target_of
from services.replication.errors import UnfitPolicy

_MOST_REGISTRIES: Final = 100
_EXAMPLE: Final = "team/services/shop/web"
_DEPTHS: Final = (-1, 0, 1, 2, 3)
_NEW: Final = {
    "enabled": "on", "direction": "push", "count": "-1", "trigger": "manual", "tag_decoration": "matches",
    "label_decoration": "matches", "override": "on", "concurrency": "16",
}  # fmt: skip


class NewPolicy(Anybody, FormPage[Visit]):
    """/replication/policies-new."""

    template = "replication_policy_form.html"

    def first(self, visit: Visit) -> Form:
        """The usual one."""
        del visit
        return filled(_NEW)

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What can be chosen."""
        del form
        return {"policy": None, "further": [], **_choices(visit.api)}

    def act(self, visit: Visit, form: Form) -> None:
        """Make it."""
        done = visit.api.send("POST", POLICIES, body_of(form, ()))
        self.go(visit, policy_path(done.number), f"Policy {form.text('name')} is made.")


class EditPolicy(PolicyPage, FormPage[PolicyVisit]):
    """/replication/policies/{number}/edit."""

    template = "replication_policy_form.html"

    def first(self, visit: PolicyVisit) -> Form:
        """As it is."""
        return _form_of(visit.policy)

    def values(self, visit: PolicyVisit, form: Form) -> dict[str, Any]:
        """What can be chosen."""
        del form
        further = [words.filter_words(each) for each in _further(visit.policy)]
        return {"further": further, **_choices(visit.api)}

    def act(self, visit: PolicyVisit, form: Form) -> None:
        """Put another policy in its place."""
        visit.api.send("PUT", visit.home, body_of(form, _further(visit.policy)))
        self.go(visit, "", f"Policy {form.text('name')} is changed.")


class Example(Page):
    """/replication/example: where an image would go, for the form while it is filled in."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """One image before and after."""
        count = req.text("count")
        self.portal.show(
            req, resp, "replication_example.html", block="example", namespace=req.text("namespace").strip(),
            count=int(count) if count in {str(each) for each in _DEPTHS} else -1, example=example,
        )  # fmt: skip


def example(namespace: str, count: int) -> tuple[str, str]:
    """An image's name at the source and at the target."""
    try:
        return _EXAMPLE, target_of(_EXAMPLE, namespace, count)
    except UnfitPolicy:
        return _EXAMPLE, ""


def _choices(api: Api) -> dict[str, Any]:
    registries = api.listed("/registries", page_size=_MOST_REGISTRIES, sort="name").items
    return {
        "registries": [(each["id"], f"{each['name']} ({each['url']})") for each in registries],
        "example": example, "depths": _depth_choices(),
    }  # fmt: skip


def _depth_choices() -> list[tuple[int, str]]:
    said = {-1: "all parts before the last", 0: "nothing: it goes before the whole name", 1: "the first part"}
    return [(depth, said.get(depth, f"the first {depth} parts")) for depth in _DEPTHS]


def body_of(form: Form, further: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """The whole policy, as the API takes it: what it does not name the API takes for empty. Raises BadForm."""
    registry = form.number("registry")
    pushes = form.text("direction") != "pull"
    trigger: dict[str, Any] = {"type": form.text("trigger", "manual")}
    if trigger["type"] == "scheduled":
        trigger["trigger_settings"] = {"cron": form.text("cron")}
    return {
        "name": form.text("name"),
        "description": form.text("description"),
        "src_registry": {"id": 0 if pushes else registry},
        "dest_registry": {"id": registry if pushes else 0},
        "dest_namespace": form.text("namespace").strip("/"),
        "dest_namespace_replace_count": form.number("count", -1),
        "filters": [*_filters(form), *further],
        "trigger": trigger,
        "replicate_deletion": form.flag("deletion"),
        "override": form.flag("override"),
        "enabled": form.flag("enabled"),
        "speed": form.number("speed"),
        "copy_by_chunk": form.flag("copy_by_chunk"),
        "copy_labels": form.flag("copy_labels"),
        "copy_retention": form.flag("copy_retention"),
        "single_active_replication": form.flag("single_active"),
        "concurrency": form.number("concurrency", 16),
    }


def _filters(form: Form) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    if form.text("name_filter"):
        filters.append({"type": "name", "value": form.text("name_filter")})
    if form.text("tag_filter"):
        decoration = form.text("tag_decoration", "matches")
        filters.append({"type": "tag", "value": form.text("tag_filter"), "decoration": decoration})
    labels = [line.strip() for line in form.text("label_filter").splitlines() if line.strip()]
    if labels:
        decoration = form.text("label_decoration", "matches")
        filters.append({"type": "label", "value": labels, "decoration": decoration})
    if form.text("resource_filter"):
        filters.append({"type": "resource", "value": form.text("resource_filter")})
    return filters


def _first(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The filter of each type that the form has fields for."""
    found: dict[str, dict[str, Any]] = {}
    for each in policy["filters"]:
        if each["value"]:
            found.setdefault(each["type"], each)
    return found


def _further(policy: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The filters that the form has no fields for: they stay as they are."""
    shown = [id(each) for each in _first(policy).values()]
    return tuple(each for each in policy["filters"] if each["value"] and id(each) not in shown)


def _form_of(policy: dict[str, Any]) -> Form:
    pushes = policy["src_registry"]["id"] == 0
    filters = _first(policy)
    cron = policy["trigger"].get("trigger_settings", {}).get("cron", "")
    fields = {
        "name": policy["name"],
        "description": policy["description"],
        "direction": "push" if pushes else "pull",
        "registry": policy["dest_registry" if pushes else "src_registry"]["id"],
        "name_filter": filters.get("name", {}).get("value", ""),
        "tag_filter": filters.get("tag", {}).get("value", ""),
        "tag_decoration": filters.get("tag", {}).get("decoration", "matches"),
        "label_filter": "\n".join(filters.get("label", {}).get("value", ())),
        "label_decoration": filters.get("label", {}).get("decoration", "matches"),
        "resource_filter": filters.get("resource", {}).get("value", ""),
        "namespace": policy["dest_namespace"],
        "count": policy["dest_namespace_replace_count"],
        "trigger": policy["trigger"]["type"],
        "cron": cron,
        "deletion": policy["replicate_deletion"],
        "override": policy["override"],
        "enabled": policy["enabled"],
        "speed": policy["speed"] or "",
        "single_active": policy["single_active_replication"],
        "copy_by_chunk": policy["copy_by_chunk"],
        "copy_labels": policy["copy_labels"],
        "copy_retention": policy["copy_retention"],
        "concurrency": policy["concurrency"],
    }
    return filled(fields)
