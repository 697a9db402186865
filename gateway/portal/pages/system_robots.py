"""Robot accounts of the system: beside all projects, with rights in any of them and to the system itself."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Question, QuestionPage, Visit, filled
from gateway.portal.portal import Page

_BACK: Final = "/admin/robots"
_EVERYWHERE: Final = "*"
_PULL: Final = ("repository:pull", "repository:list", "repository:read", "artifact:list", "artifact:read", "tag:list")
_PUSH: Final = (*_PULL, "repository:push", "tag:create", "artifact-label:create")
_PRESETS: Final[Mapping[str, tuple[str, ...]]] = {"pull": _PULL, "push": _PUSH}

Grants = list[tuple[str, list[str]]]
"""Resources, each with its actions."""


class SystemRobots(Page):
    """/admin/robots."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them."""
        state = list_state(req, sorts=("name", "expires_at", "creation_time"))
        found = self.portal.api(req).listed(
            "/robots", page=state.page, page_size=state.page_size, sort=state.sort, q=fuzzy("name", state.search)
        )
        self.portal.show(
            req, resp, "system_robots.html", block="list", state=state, total=found.total, now=req.now.timestamp(),
            robots=[each | {"places": _places(each), "ends": _end(each)} for each in found.items],
        )  # fmt: skip


class NewSystemRobot(ForAdministrators, FormPage[Visit]):
    """/admin/robots/new."""

    template = "system_robot_form.html"

    def first(self, visit: Visit) -> Form:
        """One that pulls, for a month."""
        del visit
        return filled({"may": "pull", "where": "all", "duration": 30})

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What can be given."""
        return _choices(visit, form) | {"robot": None, "mixed": False}

    def act(self, visit: Visit, form: Form) -> None:
        """Make it, and show its secret this once."""
        body = {
            "name": form.text("name"), "description": form.text("description"), "level": "system",
            "duration": _days(form), "permissions": _permissions(form),
        }  # fmt: skip
        made = visit.api.send("POST", "/robots", body).content
        _show_secret(self, visit, made["name"], made["secret"], made=True)


class EditSystemRobot(ForAdministrators, FormPage[Visit]):
    """/admin/robots/{robot_id}/edit."""

    template = "system_robot_form.html"

    def first(self, visit: Visit) -> Form:
        """As it is."""
        return _form_of(_robot(visit))

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What can be given."""
        robot = _robot(visit)
        return _choices(visit, form) | {"robot": robot, "mixed": _differs(robot)}

    def act(self, visit: Visit, form: Form) -> None:
        """Change it."""
        robot = _robot(visit)
        body = {"description": form.text("description"), "disable": robot["disable"], "duration": _days(form)}
        if form.text("may") != "kept":
            body["permissions"] = _permissions(form)
        visit.api.send("PUT", f"/robots/{robot['id']}", body)
        self.go(visit, _BACK, f"Robot account {robot['name']} is changed.")


class RenewSecret(ForAdministrators, FormPage[Visit]):
    """/admin/robots/{robot_id}/secret."""

    template = "question.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What ends."""
        del form
        lines = (
            "The secret that it has now stops working at once.",
            "The new one is shown once, here: whoever uses this account has to be given it.",
        )
        title = f"Renew the secret of {_robot(visit)['name']}"
        return {"question": Question(title=title, lines=lines, verb="Renew secret", back=_BACK)}

    def act(self, visit: Visit, form: Form) -> None:
        """Renew it, and show it this once."""
        del form
        robot = _robot(visit)
        renewed = visit.api.send("PATCH", f"/robots/{robot['id']}", {"secret": ""}).content
        _show_secret(self, visit, robot["name"], renewed["secret"], made=False)


class SwitchRobot(ForAdministrators, QuestionPage[Visit]):
    """/admin/robots/{robot_id}/switch: disables an account, or enables it."""

    def question(self, visit: Visit) -> Question:
        """What it means."""
        robot = _robot(visit)
        if robot["disable"]:
            lines = ("It can sign in again with the secret that it has.",)
            return Question(title=f"Enable {robot['name']}", lines=lines, verb="Enable", back=_BACK, kind="")
        lines = ("It can no longer sign in, pull or push. Its secret and its permissions are kept.",)
        return Question(title=f"Disable {robot['name']}", lines=lines, verb="Disable", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Switch it."""
        del form
        robot = _robot(visit)
        disable = not robot["disable"]
        body = {"description": robot.get("description", ""), "disable": disable}
        visit.api.send("PUT", f"/robots/{robot['id']}", body)
        return f"Robot account {robot['name']} is {'disabled' if disable else 'enabled'}."


class DeleteSystemRobot(ForAdministrators, QuestionPage[Visit]):
    """/admin/robots/{robot_id}/delete."""

    def question(self, visit: Visit) -> Question:
        """What goes."""
        robot = _robot(visit)
        lines = (
            f"It may act in: {_places(robot)}. Whoever uses it there is refused from now on.",
            "What it has pushed stays, and the audit record keeps what it did.",
        )
        return Question(title=f"Delete {robot['name']}", lines=lines, verb="Delete robot account", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Delete it."""
        del form
        robot = _robot(visit)
        visit.api.send("DELETE", f"/robots/{robot['id']}")
        return f"Robot account {robot['name']} is deleted."


def _robot(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.api.get(f"/robots/{segment(visit.parts['robot_id'])}")
    return found


def _choices(visit: Visit, form: Form) -> dict[str, Any]:
    """What can be given, to the system and in projects, and what of it is ticked."""
    shown = visit.api.get("/permissions")
    grants = {name: _grouped(shown[name]) for name in ("system", "project")}
    return {**grants, "ticked": set(form.all("access"))}


def _grouped(pairs: Iterable[Mapping[str, str]]) -> Grants:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair["resource"], []).append(pair["action"])
    return list(found.items())


def _days(form: Form) -> int:
    return -1 if form.flag("forever") else form.number("duration")


def _permissions(form: Form) -> list[dict[str, object]]:
    """What the form gives: the same in every project that it names."""
    preset = form.text("may")
    in_projects = _PRESETS.get(preset) or form.all("access")
    names = [_EVERYWHERE] if form.text("where") != "some" else form.text("projects").replace(",", " ").split()
    given = [("project", name, in_projects) for name in dict.fromkeys(names)] if preset != "none" else []
    on_system = form.all("system")
    return [
        {"kind": kind, "namespace": place, "access": [_access(each) for each in chosen]}
        for kind, place, chosen in [*given, *([("system", "/", on_system)] if on_system else [])]
    ]


def _access(pair: str) -> dict[str, str]:
    resource, _, action = pair.partition(":")
    return {"resource": resource, "action": action}


def _pairs(permission: Mapping[str, Any]) -> list[str]:
    return [f"{each['resource']}:{each['action']}" for each in permission["access"]]


def _in_projects(robot: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each for each in robot["permissions"] if each["kind"] == "project"]


def _differs(robot: Mapping[str, Any]) -> bool:
    """Whether it may more in one project than in another, which the form cannot say."""
    return len({frozenset(_pairs(each)) for each in _in_projects(robot)}) > 1


def _form_of(robot: Mapping[str, Any]) -> Form:
    """The form of a robot account as it is."""
    places = _in_projects(robot)
    named = [each["namespace"] for each in places]
    everywhere = not named or _EVERYWHERE in named
    chosen = _pairs(places[0]) if places else []
    preset = next((name for name, pairs in _PRESETS.items() if set(pairs) == set(chosen)), "chosen")
    return filled(
        {
            "description": robot.get("description", ""),
            "duration": robot["duration"] if robot["duration"] > 0 else "",
            "forever": robot["duration"] < 0 and "on",
            "may": "kept" if _differs(robot) else preset if places else "none",
            "where": "all" if everywhere else "some",
            "projects": "" if everywhere else "\n".join(named),
            "access": chosen,
            "system": [pair for each in robot["permissions"] if each["kind"] == "system" for pair in _pairs(each)],
        }
    )


def _end(robot: Mapping[str, Any]) -> str:
    ends_at = robot["expires_at"]
    return datetime.fromtimestamp(ends_at, UTC).isoformat() if ends_at > 0 else ""


def _places(robot: Mapping[str, Any]) -> str:
    """Where it may act, in words."""
    names = [each["namespace"] for each in _in_projects(robot)]
    shown = ["every project"] if _EVERYWHERE in names else names[:3]
    more = [] if _EVERYWHERE in names or len(names) <= len(shown) else [f"{len(names) - len(shown)} more projects"]
    system = ["the system"] if any(each["kind"] == "system" for each in robot["permissions"]) else []
    return ", ".join([*shown, *more, *system])


def _show_secret(on: Page, visit: Visit, name: str, secret: str, *, made: bool) -> None:
    visit.resp.set_header("Cache-Control", "no-store")
    on.portal.show(visit.req, visit.resp, "system_robot_secret.html", name=name, secret=secret, made=made)
