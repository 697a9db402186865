"""Writing answers: times as Harbor's clients read them, lists with their total and their links."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import Unprocessable
from shared.events.envelope import rfc3339
from shared.listing import MAX_ROWS, Listing, Page

NEVER: Final = "0001-01-01T00:00:00.000Z"
"""How Harbor writes a time that is not set."""

CURSOR: Final = "cursor"
"""The query parameter that a link to the next page may carry: a place in the list."""

Json = dict[str, Any]
Record = TypeVar("Record")

# the query of a link is left readable where that cannot be misread: what clients do with it is to send it back
_SAFE: Final = "=~,[]{}()/:!*'$@;"


def time_or_never(moment: datetime | None) -> str:
    """A time in UTC with milliseconds."""
    return rfc3339(moment) if moment else NEVER


def given(**fields: object) -> Json:
    """An object without the fields that have no value."""
    return {name: value for name, value in fields.items() if value is not None}


def write_page(
    req: ApiRequest,
    resp: ApiResponse,
    listing: Listing,
    page: Page[Record],
    view: Callable[[Record], Json],
    *,
    cursor: str | None = None,
) -> None:
    """Answer one page of a list, with X-Total-Count and, where there are more, Link.

    The link to the next page carries the cursor, if the list has one: who follows links pays the same for any page.
    Raises Unprocessable where the whole list is asked for and is too long for one answer.
    """
    if not listing.page_size and len(page.records) > MAX_ROWS:
        raise Unprocessable(f"page_size=0 asks for the whole list, which has more than {MAX_ROWS:,} entries: use pages")
    resp.media = [view(record) for record in page.records]
    resp.set_header("X-Total-Count", str(page.total))
    links = _links(req, listing, page.total, cursor)
    if links:
        resp.set_header("Link", " , ".join(links))


def _links(req: ApiRequest, listing: Listing, total: int, cursor: str | None) -> list[str]:
    size, number = listing.page_size, listing.page
    if not size:
        return []
    wanted = {
        "prev": number - 1 if number > 1 and (number - 1) * size < total else None,
        "next": number + 1 if number * size < total else None,
    }
    return [
        f'<{_address(req, page, size, cursor if name == "next" else None)}>; rel="{name}"'
        for name, page in wanted.items()
        if page
    ]


def _address(req: ApiRequest, page: int, size: int, cursor: str | None) -> str:
    query = {**req.params, "page": str(page), "page_size": str(size)}
    query.pop(CURSOR, None)
    if cursor:
        query[CURSOR] = cursor
    pairs = [
        (name, value)
        for name, values in sorted(query.items())
        for value in (values if isinstance(values, list) else [values])
    ]
    return f"{quote(req.path)}?" + "&".join(f"{quote(name)}={quote(value, safe=_SAFE)}" for name, value in pairs)
