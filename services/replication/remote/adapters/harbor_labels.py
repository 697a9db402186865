"""Labels on a Harbor: of the artifact's project, made where they are missing. None is ever taken off or changed.

Documentation: Harbor's swagger of the API v2.0, tags label and artifact.
"""

import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from services.replication.domain.task import Fault
from services.replication.ends import Label
from services.replication.errors import AttemptFailed
from services.replication.remote.api import Api

PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Until what was pushed is in the catalogue there: some follow a push by a moment."""
_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.CONFLICT})


def attach(api: Api, path: str, artifact: str, labels: Sequence[Label]) -> list[str]:
    """Put on an artifact, whose place in the API is `path`, what it lacks of these; returns the names of those.

    A label of the same name that it bears already is enough, whatever it looks like. Raises AttemptFailed.
    """
    found = _catalogued(api, path, artifact)
    borne = {each.get("name") for each in found.get("labels") or () if isinstance(each, dict)}
    lacking = [each for each in labels if each.name not in borne]
    for label in lacking:
        number = _number(api, label, found.get("project_id"))
        answer = api.ask("POST", f"{path}/labels", content={"id": number})
        if answer.status not in _DONE:
            raise api.refused(f"the label {label.name} on {artifact}", answer)
    return [each.name for each in lacking]


def _catalogued(api: Api, path: str, artifact: str) -> dict[str, Any]:
    for pause in (*PAUSES, None):
        try:
            found = api.get(f"{path}?with_label=true", f"the labels of {artifact}")
        except AttemptFailed as failure:
            if failure.fault is not Fault.NOT_FOUND:
                raise
        else:
            return found if isinstance(found, dict) else {}
        if pause is not None:
            time.sleep(pause)
    raise AttemptFailed(Fault.OVERLOADED, f"{artifact} is not in the target's catalogue yet: its labels have to wait")


def _number(api: Api, label: Label, project_id: object) -> int:
    """The number of the project's label of this name, made where there is none."""
    found = _find(api, label.name, project_id)
    if found is not None:
        return found
    wanted = {"name": label.name, "description": label.description, "scope": "p", "project_id": project_id}
    answer = api.ask("POST", "/labels", content=wanted | ({"color": label.color} if label.color else {}))
    if answer.status not in _DONE:
        raise api.refused(f"the creation of the label {label.name}", answer)
    found = _find(api, label.name, project_id)
    if found is None:
        raise AttemptFailed(Fault.SERVER_ERROR, f"the label {label.name} was made at the target, and is not there")
    return found


def _find(api: Api, name: str, project_id: object) -> int | None:
    """Names are searched for by a part, so that more may come than the one."""
    query = urlencode({"scope": "p", "project_id": str(project_id), "name": name})
    for each in api.pages(f"/labels?{query}", "the list of labels"):
        if each.get("name") == name and isinstance(each.get("id"), int):
            return int(each["id"])
    return None
