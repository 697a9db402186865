"""What of the record an address asks for, as the API's query, and a walk through all of it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from gateway.core.request import ApiRequest
from gateway.portal.api import Answer, Api
from gateway.portal.lists import ListState, fuzzy, list_state

PATH: Final = "/auditlog-exts"
FILTERS: Final = ("user", "operation", "type", "resource", "from", "to", "result")
MOST_ROWS: Final = 100_000
"""An export has as many records at most, the newest."""
_AT_ONCE: Final = 100
_CURSOR: Final = re.compile(r'[?&]cursor=([^&>]+)[^>]*>; rel="next"')
_PLAIN: Final = re.compile(r"[a-z_]{1,64}")
_RESULTS: Final = {"succeeded": "true", "failed": "false"}


def asked_state(req: ApiRequest) -> ListState:
    """Page, order and filters of an address."""
    return list_state(req, sorts=("-op_time", "username", "operation", "resource_type"), filters=FILTERS)


def query_of(state: ListState) -> str:
    """The filters in the API's language; what makes no sense is left out."""
    given = state.filters
    terms = [fuzzy("username", given["user"]), fuzzy("resource", given["resource"])]
    terms += [
        f"{field}={given[name]}"
        for name, field in (("operation", "operation"), ("type", "resource_type"))
        if _PLAIN.fullmatch(given[name])
    ]
    since, until = _moment(given["from"]), _moment(given["to"])
    if since or until:
        terms.append(f"op_time=[{since}~{until}]")
    if given["result"] in _RESULTS:
        terms.append(f"operation_result={_RESULTS[given['result']]}")
    return ",".join(term for term in terms if term)


def walk(api: Api, query: str, *, behind: str = "") -> Iterator[dict[str, Any]]:
    """The records that fit, newest first, from a cursor on; read as they are taken. Raises Refused, then too."""
    return _pages(api, query, _page(api, query, behind))


def _pages(api: Api, query: str, answer: Answer) -> Iterator[dict[str, Any]]:
    while True:
        yield from answer.content
        following = _CURSOR.search(answer.headers.get("link", ""))
        if following is None:
            return
        answer = _page(api, query, unquote(following[1]))


def _page(api: Api, query: str, cursor: str) -> Answer:
    return api.send("GET", PATH, q=query, page_size=_AT_ONCE, cursor=cursor)


def _moment(text: str) -> str:
    """A time of `datetime-local`, which is UTC here, as the API takes it; empty where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return at.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at.tzinfo is None else ""
