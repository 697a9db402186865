"""Pages of the registry's lists: at most `n` from behind `last` on, and a Link to where the list goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import BadRequest

_MOST_DIGITS: Final = 9


class BadPageSize(BadRequest):
    """`n` is no whole number."""

    code = "PAGINATION_NUMBER_INVALID"
    default = "n must be a whole number, not below 0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What part of a list is asked for."""

    n: int | None
    """At most so many; None is not told."""
    last: str
    """The name behind which it begins, whether the list has it or not; empty for the beginning."""


def read_page(req: ApiRequest) -> Wanted:
    """The part asked for. Raises BadPageSize, BadRequest."""
    n, last = req.text("n"), req.text("last")
    if req.has_param("n") and not (n.isascii() and n.isdigit() and len(n) <= _MOST_DIGITS):
        raise BadPageSize
    return Wanted(n=int(n) if n else None, last=last)


def link_next(req: ApiRequest, resp: ApiResponse, query: Mapping[str, str | int]) -> None:
    """Tell where the list goes on, in the registry's form: a path on this host."""
    resp.set_header("Link", f'<{quote(req.path)}?{urlencode(query)}>; rel="next"')
