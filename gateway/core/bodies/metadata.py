"""Bodies about a project's metadata: texts by name, whatever they mean."""

from gateway.core.reading import read_json
from gateway.core.request import ApiRequest
from shared.errors import BadRequest


def read_entries(req: ApiRequest) -> dict[str, str]:
    """The entries that a client names; a null is one it did not name. Raises BadRequest, and as `read_json`."""
    body = read_json(req)
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    entries = {name: value for name, value in body.items() if value is not None}
    if any(not isinstance(value, str) for value in entries.values()):
        raise BadRequest('the values of metadata are texts: "true", not true')
    return entries
