"""Paths as routes see them: every segment decoded once, a slash inside a segment kept as %2F.

Clients send a repository's slashes as %252F, some as %2F; both arrive as %2F. Only the raw path tells a separator from
a slash that belongs to a name.
"""

import re
from typing import Final
from urllib.parse import unquote

from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import BadRequest

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Paths:
    """Rewrites the path of API requests before routing; repeated and trailing slashes are merged away."""

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Raises BadRequest for what is no text."""
        raw = str(req.env.get("RAW_URI") or "").partition("?")[0]
        if raw.lstrip("/").startswith("api/"):
            req.path = normal_path(raw)


def normal_path(raw: str) -> str:
    """The path with its segments decoded once. Raises BadRequest."""
    return "/" + "/".join(_segment(piece) for piece in raw.split("/") if piece)


def _segment(raw: str) -> str:
    try:
        text = unquote(raw, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("the path is not UTF-8") from error
    if _CONTROL.search(text):
        raise BadRequest("the path holds a control character")
    return text.replace("/", "%2F")
