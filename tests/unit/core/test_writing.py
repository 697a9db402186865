"""Lists on the wire: the total, and links that lead to the same list."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from falcon.testing import create_environ

from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.writing import time_or_never, write_page
from shared.errors import BadRequest, Unprocessable
from shared.listing import MAX_ROWS, Page


def answer(query: str, total: int) -> ApiResponse:
    req, resp = ApiRequest(create_environ("/api/v2.0/projects", query)), ApiResponse()
    page: Page[int] = Page(records=[1], total=total)
    write_page(req, resp, req.listing(), page, lambda record: {"n": record})
    return resp


def to(name: str, query: str) -> str:
    return f'</api/v2.0/projects?{query}>; rel="{name}"'


@pytest.mark.parametrize(
    ("query", "total", "links"),
    [
        ("", 10, []),
        ("", 11, [to("next", "page=2&page_size=10")]),
        ("page=2", 11, [to("prev", "page=1&page_size=10")]),
        ("page=2&page_size=1", 3, [to("prev", "page=1&page_size=1"), to("next", "page=3&page_size=1")]),
        ("page=9", 11, []),
        ("page_size=0", 1000, []),
        ("q=name%3D~a,public%3Dtrue&page_size=1", 2, [to("next", "page=2&page_size=1&q=name=~a,public=true")]),
    ],
)
def test_links_lead_to_the_neighbours_that_exist(query: str, total: int, links: list[str]) -> None:
    resp = answer(query, total)
    assert resp.get_header("X-Total-Count") == str(total)
    assert resp.get_header("Link") == (" , ".join(links) or None)


@pytest.mark.parametrize("query", ["page_size=0", "page_size=0&page=3"])
def test_a_whole_list_is_given_whole_or_refused_with_a_sentence(query: str) -> None:
    req, resp = ApiRequest(create_environ("/x", query)), ApiResponse()
    listing = req.listing()
    assert (listing.limit, listing.offset) == (MAX_ROWS + 1, 0)
    write_page(req, resp, listing, Page(records=[1] * MAX_ROWS, total=MAX_ROWS), lambda record: {"n": record})
    assert len(resp.media) == MAX_ROWS
    assert resp.get_header("Link") is None
    longer = Page(records=[1] * (MAX_ROWS + 1), total=MAX_ROWS + 7)
    with pytest.raises(Unprocessable, match="has more than 10,000 entries"):
        write_page(req, resp, listing, longer, lambda record: {"n": record})


def test_a_link_keeps_the_query_whatever_is_in_it() -> None:
    link = answer("q=name%3Da%2526b%250d%250aX&page_size=1", 2).get_header("Link")
    target = link.partition(">")[0].removeprefix("<")
    assert link.isprintable()
    assert parse_qs(urlsplit(target).query)["q"] == ["name=a%26b%0d%0aX"]


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=1.0", "page=99999999999", "page_size=101", "page_size=-1",
              "page_size=x", "page=%D9%A1"],
)  # fmt: skip
def test_a_page_out_of_range_is_unprocessable(query: str) -> None:
    with pytest.raises(Unprocessable):
        ApiRequest(create_environ("/x", query)).listing()


def test_a_parameter_with_a_nul_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        ApiRequest(create_environ("/x", "name=a%00")).text("name")


def test_times_are_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))
    assert time_or_never(datetime(2026, 8, 21, 7, 58, 10, 123_456, tzinfo=east)) == "2026-08-21T05:58:10.123Z"
    assert time_or_never(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"
    assert time_or_never(None) == "0001-01-01T00:00:00.000Z"
