"""Robot accounts of the system: beside all projects, with rights in any of them and to the system itself."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import AskedPage, Question, admin_page, show_sheet
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


class NewSystemRobot(Page):
    """/admin/robots/new."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The form, for a robot account that pulls."""
        self._show(req, resp, Form({"may": ["pull"], "where": ["all"], "duration": ["30"]}))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make it, and show its secret this once. Raises ForeignForm, BadForm."""
        form = read_form(req)
        body = {
            "name": form.text("name"), "description": form.text("description"), "level": "system",
            "duration": _days(form), "permissions": _permissions(form),
        }  # fmt: skip
        try:
            made = self.portal.api(req).send("POST", "/robots", body).content
        except Refused as refused:
            self._show(req, resp, form, refused)
        else:
            _show_secret(self, req, resp, made["name"], made["secret"], made=True)

    def _show(self, req: ApiRequest, resp: ApiResponse, form: Form, refused: Refused | None = None) -> None:
        system, project = _grantable(self.portal.api(req))
        show_sheet(
            self, req, resp, "system_robot_form.html", refused, form=form, robot=None, system=system,
            project=project, ticked=set(form.all("access")), mixed=False,
        )  # fmt: skip


class EditSystemRobot(Page):
    """/admin/robots/{robot_id}/edit."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, robot_id: str) -> None:
        """The form with what is so now. Raises Refused."""
        robot = _robot(self.portal.api(req), robot_id)
        self._show(req, resp, robot, _form_of(robot))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, robot_id: str) -> None:
        """Change it. Raises ForeignForm, BadForm, Refused."""
        form = read_form(req)
        api = self.portal.api(req)
        robot = _robot(api, robot_id)
        body = {"description": form.text("description"), "disable": robot["disable"], "duration": _days(form)}
        if form.text("may") != "kept":
            body["permissions"] = _permissions(form)
        try:
            api.send("PUT", f"/robots/{robot['id']}", body)
        except Refused as refused:
            self._show(req, resp, robot, form, refused)
        else:
            self.portal.go(req, resp, _BACK, f"Robot account {robot['name']} is changed.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, robot: dict[str, Any], form: Form, refused: Refused | None = None
    ) -> None:
        system, project = _grantable(self.portal.api(req))
        show_sheet(
            self, req, resp, "system_robot_form.html", refused, form=form, robot=robot, system=system,
            project=project, ticked=set(form.all("access")), mixed=_differs(robot),
        )  # fmt: skip


class RenewSecret(AskedPage):
    """/admin/robots/{robot_id}/secret."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What ends. Raises Refused."""
        robot = _robot(self.portal.api(req), parts["robot_id"])
        told = (
            "The secret that it has now stops working at once.",
            "The new one is shown once, here: whoever uses this account has to be given it.",
        )
        return Question(title=f"Renew the secret of {robot['name']}", told=told, verb="Renew secret", back=_BACK)

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, **parts: str) -> None:
        """Renew it, and show it this once. Raises ForeignForm, BadForm, Refused."""
        read_form(req)
        api = self.portal.api(req)
        robot = _robot(api, parts["robot_id"])
        renewed = api.send("PATCH", f"/robots/{robot['id']}", {"secret": ""}).content
        _show_secret(self, req, resp, robot["name"], renewed["secret"], made=False)


class SwitchRobot(AskedPage):
    """/admin/robots/{robot_id}/switch: disables an account, or enables it."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What it means. Raises Refused."""
        robot = _robot(self.portal.api(req), parts["robot_id"])
        if robot["disable"]:
            told = ("It can sign in again with the secret that it has.",)
            return Question(title=f"Enable {robot['name']}", told=told, verb="Enable", back=_BACK, danger=False)
        told = ("It can no longer sign in, pull or push. Its secret and its permissions are kept.",)
        return Question(title=f"Disable {robot['name']}", told=told, verb="Disable", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Switch. Raises Refused."""
        api = self.portal.api(req)
        robot = _robot(api, parts["robot_id"])
        disable = not robot["disable"]
        body = {"description": robot.get("description", ""), "disable": disable}
        api.send("PUT", f"/robots/{robot['id']}", body)
        return f"Robot account {robot['name']} is {'disabled' if disable else 'enabled'}."


class DeleteSystemRobot(AskedPage):
    """/admin/robots/{robot_id}/delete."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What goes. Raises Refused."""
        robot = _robot(self.portal.api(req), parts["robot_id"])
        told = (
            f"It may act in: {_places(robot)}. Whoever uses it there is refused from now on.",
            "What it has pushed stays, and the audit record keeps what it did.",
        )
        return Question(title=f"Delete {robot['name']}", told=told, verb="Delete robot account", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Delete. Raises Refused."""
        api = self.portal.api(req)
        robot = _robot(api, parts["robot_id"])
        api.send("DELETE", f"/robots/{robot['id']}")
        return f"Robot account {robot['name']} is deleted."


def _robot(api: Api, robot_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/robots/{segment(robot_id)}")
    return found


def _grantable(api: Api) -> tuple[Grants, Grants]:
    """What can be given, to the system and in projects."""
    shown = api.get("/permissions")
    return _grouped(shown["system"]), _grouped(shown["project"])


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
    return Form(
        {
            "description": [robot.get("description", "")],
            "duration": [str(robot["duration"]) if robot["duration"] > 0 else ""],
            "forever": ["on" if robot["duration"] < 0 else ""],
            "may": ["kept" if _differs(robot) else preset if places else "none"],
            "where": ["all" if everywhere else "some"],
            "projects": ["" if everywhere else "\n".join(named)],
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


def _show_secret(shown: Page, req: ApiRequest, resp: ApiResponse, name: str, secret: str, *, made: bool) -> None:
    resp.set_header("Cache-Control", "no-store")
    shown.portal.show(req, resp, "system_robot_secret.html", name=name, secret=secret, made=made)
