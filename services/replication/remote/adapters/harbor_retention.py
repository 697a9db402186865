"""Retention policies on a Harbor: of a project, which tells the number of its own in its metadata.

Documentation: Harbor's swagger of the API v2.0, tags project and Retention. None is ever deleted: some releases leave
its number in the metadata, and make no other after that. One without rules keeps everything.
"""

from http import HTTPStatus
from typing import Any, Final

from services.replication.domain.retention import Placed, Retention, told_retention
from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.api import Api, segment

_ALGORITHM: Final = "or"
_KIND: Final = "Schedule"


def look(api: Api, project: str) -> Placed:
    """What a project has. Raises AttemptFailed."""
    what = f"the project {project}"
    told = _object(api.get(f"/projects/{segment(project)}", what), what)
    project_id, metadata = told.get("project_id"), told.get("metadata")
    if not isinstance(project_id, int):
        raise AttemptFailed(Fault.SERVER_ERROR, f"{what} was told without its number")
    number = _number(metadata.get("retention_id") if isinstance(metadata, dict) else None)
    if number is None:
        return Placed(project_id=project_id)
    what = f"the retention policy of {project}"
    answer = api.ask("GET", f"/retentions/{number}")
    if answer.status == HTTPStatus.NOT_FOUND:
        return Placed(project_id=project_id, number=number)
    if answer.status != HTTPStatus.OK:
        raise api.refused(what, answer)
    policy = _object(answer.json(), what)
    trigger = policy.get("trigger")
    references = trigger.get("references") if isinstance(trigger, dict) else None
    return Placed(
        project_id=project_id,
        number=number,
        retention=told_retention(policy),
        references=references if isinstance(references, dict) else {},
    )


def put(api: Api, project: str, there: Placed, wanted: Retention) -> int:
    """Make it the project's in the place of what is there; returns its number. Raises AttemptFailed."""
    body: dict[str, Any] = {
        "algorithm": _ALGORITHM,
        "rules": list(wanted.rules),
        "trigger": {"kind": _KIND, "settings": {"cron": wanted.cron}, "references": dict(there.references)},
        "scope": {"level": "project", "ref": there.project_id},
    }
    if there.number is not None:
        answer = api.ask("PUT", f"/retentions/{there.number}", content=body | {"id": there.number})
        if answer.status != HTTPStatus.OK:
            raise api.refused(f"the change of the retention policy of {project}", answer)
        return there.number
    answer = api.ask("POST", "/retentions", content=body)
    if answer.status != HTTPStatus.CREATED:
        raise api.refused(f"the creation of a retention policy of {project}", answer)
    made = _number(answer.headers.get("Location", "").rstrip("/").rpartition("/")[2])
    if made is None:
        raise AttemptFailed(Fault.SERVER_ERROR, f"the retention policy of {project} was made, and its number not told")
    return made


def _number(told: object) -> int | None:
    text = str(told) if isinstance(told, str | int) else ""
    return int(text) if text.isascii() and text.isdigit() and int(text) else None


def _object(told: object, what: str) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise AttemptFailed(Fault.SERVER_ERROR, f"{what} is not of the form that is documented")
    return told
