"""A list's address: what it holds, and what it leads to."""

from __future__ import annotations

import pytest
from falcon.testing import create_environ

from gateway.core.request import ApiRequest
from gateway.portal.lists import ListState, fuzzy, list_state
from gateway.portal.pages.sign_in import own_path

STATE = ListState(path="/p", page=3, sort="name", search="a b", filters={"role": "x"})


def state_of(query: str) -> ListState:
    return list_state(ApiRequest(create_environ("/p", query_string=query)), sorts=("name", "-age"), filters=("role",))


def test_another_order_or_filter_leads_to_the_first_page_and_keeps_the_rest() -> None:
    assert STATE.url(page=4) == "/p?q=a+b&sort=name&role=x&page=4"
    assert STATE.url(role="") == "/p?q=a+b&sort=name"
    assert STATE.order_url("name") == "/p?q=a+b&sort=-name&role=x"
    assert (STATE.direction("name"), STATE.direction("age")) == ("ascending", "none")


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (25, 1), (26, 2), (2500, 100)])
def test_pages(total: int, pages: int) -> None:
    assert STATE.pages(total) == pages


@pytest.mark.parametrize(
    ("query", "page", "sort"),
    [("", 1, "name"), ("page=7&sort=-age", 7, "-age"), ("sort=age", 1, "age"), ("page=0&sort=owner", 1, "name"),
     ("page=%C2%B2", 1, "name"), ("page=12345678", 1, "name")],
)  # fmt: skip
def test_what_makes_no_sense_is_the_usual(query: str, page: int, sort: str) -> None:
    state = state_of(query)
    assert (state.page, state.sort) == (page, sort)


@pytest.mark.parametrize(
    ("text", "query"), [("abc", "name=~abc"), ("a,b=~{c}", "name=~abc"), ("100%", "name=~100%25"), (" ,~ ", "")]
)
def test_a_search_has_no_meaning_but_its_text(text: str, query: str) -> None:
    assert fuzzy("name", text) == query


@pytest.mark.parametrize(("text", "path"), [("/projects?q=1", "/projects?q=1"), ("//x", "/"), ("/\\x", "/"), ("x", "/"),
                                            ("/api/v2.0/users", "/"), ("/a\nb", "/")])  # fmt: skip
def test_only_a_page_of_this_portal_is_gone_on_to(text: str, path: str) -> None:
    assert own_path(text) == path
