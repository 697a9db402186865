"""The robot accounts of a project: accounts of machines, whose secret is shown once and never kept here."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import BadForm
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.sheets import DeedPage, FormPage, Question, QuestionPage, filled
from gateway.portal.portal import Page, page
from shared.auth.roles import Permission
from shared.errors import NotFound

FOREVER: Final = -1
_SOON: Final = timedelta(days=14)
_PULL: Final = frozenset({("repository", "pull"), ("repository", "list"), ("artifact", "read"), ("artifact", "list")})
PRESETS: Final = {
    "pull": ("Pull", _PULL),
    "push": ("Pull and push", _PULL | {("repository", "push")}),
    "none": ("Nothing", frozenset[Permission]()),
}
"""What most robot accounts are for: a cluster, a build; and an empty table to begin with."""


class Robots(ActingPage):
    """/projects/{project}/robots."""

    needed = ("robot", "list")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The robot accounts by name."""
        visit = self.visit(req, resp, project=project)
        state = list_state(req, sorts=("name", "expires_at", "-creation_time"))
        query = [f"Level=project,ProjectID={visit.project.number}", fuzzy("name", state.search)]
        found = visit.api.listed(
            "/robots", page=state.page, page_size=state.page_size, sort=state.sort, q=",".join(filter(None, query))
        )
        robots = [robot | {"state": state_of(robot, req.now), "ends": ends(robot)} for robot in found.items]
        self.portal.show(
            req, resp, "robots.html", block="list", project=visit.project, state=state, robots=robots,
            total=found.total,
        )  # fmt: skip


class NewRobot(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/robots/new."""

    needed = ("robot", "create")
    template = "robot_form.html"

    def first(self, visit: ProjectVisit) -> Form:
        """One that pulls, for a month."""
        del visit
        return filled({"duration": 30, "access": _texts(_PULL)})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What can be granted."""
        return {"robot": None, "back": f"{visit.project.path}/robots", **_choices(visit, form, None)}

    def again(self, visit: ProjectVisit, form: Form) -> Form | None:
        """With the boxes of a preset ticked."""
        del visit
        return _preset(form)

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Make it, and show its secret."""
        body = {
            "name": form.text("name"), "level": "project", "duration": _duration(form),
            "description": form.text("description"), "permissions": _permissions(visit, form),
        }  # fmt: skip
        made = visit.api.send("POST", "/robots", body).content
        _show_secret(self, visit, made["name"], made["secret"])


class EditRobot(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/robots/{robot}/edit."""

    needed = ("robot", "update")
    template = "robot_form.html"

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        robot = _robot(visit)
        never = robot["duration"] == FOREVER
        return filled(
            {
                "description": robot["description"], "never": never, "duration": "" if never else robot["duration"],
                "access": _texts(_access(robot)),
            }
        )  # fmt: skip

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What can be granted."""
        robot = _robot(visit)
        return {"robot": robot, "back": f"{visit.project.path}/robots", **_choices(visit, form, robot)}

    def again(self, visit: ProjectVisit, form: Form) -> Form | None:
        """With the boxes of a preset ticked."""
        del visit
        return _preset(form)

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Change it."""
        robot = _robot(visit)
        change = {
            "description": form.text("description"), "duration": _duration(form), "disable": robot["disable"],
            "permissions": _permissions(visit, form),
        }  # fmt: skip
        visit.api.send("PUT", f"/robots/{robot['id']}", change)
        self.go(visit, "/robots", f"{robot['name']} is changed.")


class RobotSecret(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/robots/{robot}/secret: another one in place of the old."""

    needed = ("robot", "update")
    template = "robot_secret_new.html"

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """Whose secret it is."""
        del form
        return {"robot": _robot(visit), "back": f"{visit.project.path}/robots"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Replace it, and show the new one."""
        del form
        robot = _robot(visit)
        secret = visit.api.send("PATCH", f"/robots/{robot['id']}", {"secret": ""}).content["secret"]
        _show_secret(self, visit, robot["name"], secret)


class DisableRobot(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/robots/{robot}/disable."""

    needed = ("robot", "update")

    def question(self, visit: ProjectVisit) -> Question:
        """What stops working."""
        name = _robot(visit)["name"]
        lines = [
            f"Whatever signs in as {name} is refused until you enable it again.",
            "Its secret and its permissions stay as they are.",
        ]
        return Question(
            title=f"Disable {name}", lines=lines, verb="Disable robot account", back=f"{visit.project.path}/robots"
        )

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Disable it."""
        del form
        return f"{_switch(visit, disable=True)} is disabled."


class EnableRobot(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/robots/{robot}/enable."""

    needed = ("robot", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Enable it."""
        return "/robots", f"{_switch(visit, disable=False)} is enabled."


class DeleteRobot(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/robots/{robot}/delete."""

    needed = ("robot", "delete")

    def question(self, visit: ProjectVisit) -> Question:
        """What stops working for good."""
        name = _robot(visit)["name"]
        lines = [
            f"Whatever signs in as {name} is refused for good; its secret cannot be brought back.",
            "The images that it pushed stay. If you are not sure who uses it, disable it first.",
        ]
        return Question(
            title=f"Delete {name}", lines=lines, verb="Delete robot account", back=f"{visit.project.path}/robots"
        )

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Delete it."""
        del form
        robot = _robot(visit)
        visit.api.send("DELETE", f"/robots/{robot['id']}")
        return f"{robot['name']} is deleted."


def state_of(robot: dict[str, Any], now: datetime) -> str:
    """`active`, `soon` where it expires within days, `expired` or `disabled`."""
    if robot["disable"]:
        return "disabled"
    if robot["expires_at"] == FOREVER:
        return "active"
    left = datetime.fromtimestamp(robot["expires_at"], UTC) - now
    if left <= timedelta(0):
        return "expired"
    return "soon" if left < _SOON else "active"


def ends(robot: dict[str, Any]) -> str:
    """When it expires, as a time of the API; empty where it never does."""
    return "" if robot["expires_at"] == FOREVER else datetime.fromtimestamp(robot["expires_at"], UTC).isoformat()


def grid(rows: Iterable[Permission], held: Collection[Permission]) -> list[tuple[str, list[tuple[str, bool]]]]:
    """The table of permissions: each resource, with its actions and whether they are held."""
    table: dict[str, list[tuple[str, bool]]] = {}
    for resource, action in sorted(rows):
        table.setdefault(resource, []).append((action, (resource, action) in held))
    return list(table.items())


def _choices(visit: ProjectVisit, form: Form, robot: dict[str, Any] | None) -> dict[str, Any]:
    rows = _grantable(visit) | (_access(robot) if robot else set())
    return {"presets": PRESETS, "grid": grid(rows, _pairs(form.all("access")))}


def _preset(form: Form) -> Form | None:
    if form.text("preset") not in PRESETS:
        return None
    return form | filled({"access": _texts(PRESETS[form.text("preset")][1])})


def _grantable(visit: ProjectVisit) -> frozenset[Permission]:
    """What a robot account can be given, of what the caller has himself."""
    listed = visit.api.get("/permissions")["project"]
    return frozenset((each["resource"], each["action"]) for each in listed) & visit.project.may


def _permissions(visit: ProjectVisit, form: Form) -> list[dict[str, Any]]:
    access = sorted(_pairs(form.all("access")))
    if not access:
        raise BadForm("tick at least one permission")
    pairs = [{"resource": resource, "action": action} for resource, action in access]
    return [{"kind": "project", "namespace": visit.project.name, "access": pairs}]


def _pairs(texts: Iterable[str]) -> set[Permission]:
    return {(resource, action) for resource, _, action in (text.partition(":") for text in texts)}


def _texts(pairs: Iterable[Permission]) -> list[str]:
    return [f"{resource}:{action}" for resource, action in sorted(pairs)]


def _duration(form: Form) -> int:
    if form.flag("never"):
        return FOREVER
    days = form.number("duration")
    if days <= 0:
        raise BadForm("say for how many days the account lasts, or that it never expires")
    return days


def _robot(visit: ProjectVisit) -> dict[str, Any]:
    """The robot account of the address. Raises NotFound for another project's: it may be open to the caller as well."""
    found: dict[str, Any] = visit.api.get(f"/robots/{visit.parts['robot']}")
    if found["level"] != "project" or {place["namespace"] for place in found["permissions"]} != {visit.project.name}:
        raise NotFound
    return found


def _access(robot: dict[str, Any]) -> set[Permission]:
    return {(each["resource"], each["action"]) for place in robot["permissions"] for each in place["access"]}


def _switch(visit: ProjectVisit, *, disable: bool) -> str:
    robot = _robot(visit)
    visit.api.send(
        "PUT", f"/robots/{robot['id']}", {"description": robot["description"], "disable": disable}
    )
    return str(robot["name"])


def _show_secret(on: Page, visit: ProjectVisit, name: str, secret: str) -> None:
    on.portal.show(
        visit.req, visit.resp, "robot_secret.html", project=visit.project, name=name, secret=secret,
        back=f"{visit.project.path}/robots",
    )  # fmt: skip
