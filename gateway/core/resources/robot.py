"""Tag robot: /robots."""

from functools import partial

from gateway.core.access import may_grant, require_login, require_project, require_system
from gateway.core.bodies.robot import NewRobotBody, RobotBody, SecretBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.views.robot import made_robot_view, robot_view
from gateway.core.writing import write_page
from services.api.commands import robot as commands
from services.api.domain.robot import Level, Robot
from services.api.errors import NoSuchRobot
from services.api.queries import configuration
from services.api.queries import robot as queries
from shared.errors import BadRequest
from shared.listing import Listing
from shared.secrets import Secret


class Robots:
    """/robots."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the robot accounts of the system, or with q=Level=project,ProjectID=… those of a project."""
        listing = req.listing()
        project_id = _asked_project(req, listing)
        page = queries.list_robots(req.database, listing, project_id=project_id)
        write_page(req, resp, listing, page, partial(robot_view, prefix=_prefix(req)))

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Create a robot account; its secret is shown this once."""
        require_login(req)
        body = read_body(req, NewRobotBody)
        place = None
        if body.parsed_level() is Level.PROJECT:
            place = require_project(req, body.project(), ("robot", "create"), by_name=True)
        else:
            require_system(req, ("robot", "create"))
        robot, secret = commands.create_robot(
            req.database,
            body.new_robot(_default_days(req)),
            project_id=place.project_id if place else None,
            project=place.name if place else None,
            creator=req.caller,
            grantable=partial(may_grant, req),
            prefix=_prefix(req),
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/robots/{robot.id}")
        resp.media = made_robot_view(robot, secret, prefix=_prefix(req))


class OneRobot:
    """/robots/{robot_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, robot_id: str) -> None:
        """Show a robot account."""
        resp.media = robot_view(_robot(req, robot_id, "read"), prefix=_prefix(req))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, robot_id: str) -> None:
        """Change a robot account's rights, end, state or description."""
        robot = _robot(req, robot_id, "update")
        change = read_body(req, RobotBody).change(robot, _default_days(req), prefix=_prefix(req))
        commands.update_robot(
            req.database,
            robot,
            change,
            grantable=partial(may_grant, req),
            prefix=_prefix(req),
            now=req.now,
            context=req.event_context,
        )

    def on_patch(self, req: ApiRequest, resp: ApiResponse, robot_id: str) -> None:
        """Replace a robot account's secret; a new one is shown this once, a chosen one never."""
        robot = _robot(req, robot_id, "update")
        chosen = read_body(req, SecretBody).secret
        secret = commands.refresh_secret(
            req.database,
            robot,
            Secret(chosen) if chosen else None,
            prefix=_prefix(req),
            now=req.now,
            context=req.event_context,
        )
        resp.media = {"secret": "" if chosen else secret.reveal()}

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, robot_id: str) -> None:
        """Delete a robot account."""
        robot = _robot(req, robot_id, "delete")
        commands.delete_robot(req.database, robot, prefix=_prefix(req), context=req.event_context)


def _prefix(req: ApiRequest) -> str:
    return str(configuration.value(req.database, "robot_name_prefix"))


def _default_days(req: ApiRequest) -> int:
    return int(configuration.value(req.database, "robot_token_duration"))


def _robot(req: ApiRequest, robot_id: str, action: str) -> Robot:
    """A robot account that the caller may do this to; whoever may not, is not told whether it exists."""
    robot = queries.find_robot(req.database, identifier(robot_id))
    if robot is None or robot.project is None:
        require_system(req, ("robot", action))
    else:
        require_project(req, robot.project, ("robot", action), by_name=True)
    if robot is None:
        raise NoSuchRobot
    return robot


def _asked_project(req: ApiRequest, listing: Listing) -> int | None:
    level, project = listing.term("level"), listing.term("project_id")
    if level is None or level.values == (Level.SYSTEM,):
        require_system(req, ("robot", "list"))
        return None
    if level.values != (Level.PROJECT,) or project is None:
        raise BadRequest("q must be Level=system, or Level=project with ProjectID=<number>")
    return require_project(req, project.values[0], ("robot", "list")).project_id
