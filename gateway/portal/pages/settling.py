"""What waits for an administrator's word and was chosen in a list: asked about first, then done as the API does it."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import BadForm
from gateway.portal.forms import Form
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Visit
from shared.errors import NotFound


class SettlePage(ForAdministrators, FormPage[Visit]):
    """…/{action}: a page of this kind names its verbs, what it says where nothing was chosen, and what it shows."""

    verbs: ClassVar[Mapping[str, str]]
    """What can be done, by the API's word for it."""
    none_chosen: ClassVar[str]

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> Visit:  # noqa: ANN401
        """Begin to answer. Raises Unauthorized, Forbidden, and NotFound where nothing of that name is done to them."""
        visit = super().visit(req, resp, **parts)
        if parts["action"] not in self.verbs:
            raise NotFound
        return visit

    def first(self, visit: Visit) -> Form:
        """Nothing: they are chosen in the list. Raises BadForm."""
        del visit
        raise BadForm(self.none_chosen)

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What becomes of them."""
        action = visit.parts["action"]
        return {"action": action, "verb": self.verbs[action], "ids": form.all("ids")}

    def again(self, visit: Visit, form: Form) -> Form | None:
        """The question, before it is answered."""
        del visit
        return form if form.all("ids") and not form.flag("sure") else None

    def chosen(self, form: Form) -> list[str]:
        """The identifiers that were chosen. Raises BadForm where there are none."""
        ids = form.all("ids")
        if not ids:
            raise BadForm(self.none_chosen)
        return ids


def formatted(body: str) -> str:
    """JSON with a line for each field; anything else as it is."""
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(parsed, indent=2, ensure_ascii=False)
