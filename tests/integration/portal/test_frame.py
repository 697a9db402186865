"""What holds for every page: who sees it, who may send its forms, and what it says when something is refused."""

from __future__ import annotations

import pytest

from tests.integration.core.people import ADMIN, NOBODY, PASSWORD, Api
from tests.integration.portal.browsing import FORM, HOSTILE, Browser, Reading, cookie_of


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def test_a_right_password_begins_a_session_and_leads_to_the_page_that_was_wanted(api: Api) -> None:
    user, browser = api.user(), Browser(api)
    asked = browser.get("/projects-new")
    answer = browser.post(
        "/sign-in", {"principal": user.name, "password": PASSWORD, "next": "/projects?q=a"}, follow=False
    )
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=%2Fprojects-new")
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects?q=a")
    session = cookie_of(answer)["sid"]
    assert (session["httponly"], session["samesite"], session["path"]) == (True, "Strict", "/")
    assert user.name in browser.read("/projects").text


@pytest.mark.parametrize("path", ["/", "/projects", "/health", "/projects/no-such-project", "/sign-in"])
def test_what_only_asks_for_the_head_of_a_page_is_answered_as_who_reads_it(
    api: Api, admin: Browser, path: str
) -> None:
    for cookie in ("", f"sid={admin.cookies['sid']}"):
        headers = {"Accept": "text/html", "Cookie": cookie}
        read = api.client.simulate_get(path, host="registry.test", headers=headers)
        asked = api.client.simulate_head(path, host="registry.test", headers=headers)
        assert (asked.status_code, asked.text) == (read.status_code, "")
        assert asked.headers.get("content-type") == read.headers.get("content-type")


@pytest.mark.parametrize(
    ("name", "password"), [("admin", "wrong"), ("nobody-of-this-name", "x"), ("", ""), (HOSTILE, HOSTILE)]
)
def test_a_wrong_one_shows_the_form_again_with_the_name_and_never_the_password(
    api: Api, name: str, password: str
) -> None:
    browser = Browser(api)
    answer = browser.post("/sign-in", {"principal": name, "password": password, "next": "/projects"})
    page = Reading(answer.text)
    assert answer.status_code == 401
    assert "Incorrect username or password." in page.text
    assert page.values()["principal"] == name
    assert (page.values()["password"], page.values()["next"]) == ("", "/projects")
    assert "sid" not in browser.cookies
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "wanted",
    ["//elsewhere.test/", "https://elsewhere.test", "/\\elsewhere.test", "javascript:alert(1)", "", "/api/v2.0/x"],
)
def test_signing_in_never_leads_to_another_site(api: Api, wanted: str) -> None:
    user = api.user()
    answer = Browser(api).post("/sign-in", {"principal": user.name, "password": PASSWORD, "next": wanted}, follow=False)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("origin", [None, "http://elsewhere.test", "null", "http://registry.test.elsewhere.test"])
def test_a_form_of_another_site_changes_nothing(api: Api, admin: Browser, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = api.client.simulate_post(
        "/projects-new", body="name=forged", host="registry.test",
        headers={"Content-Type": FORM, "Cookie": f"sid={admin.cookies['sid']}", **headers},
    )  # fmt: skip
    assert answer.status_code == 403
    assert "was not sent by a page of this portal" in answer.text
    assert api.get("/projects/forged").status_code == 404


def test_signing_out_ends_the_session_for_good(api: Api) -> None:
    browser = Browser(api).sign_in(api.user())
    kept = dict(browser.cookies)
    assert browser.post("/sign-out", {}, follow=False).headers["location"] == "/sign-in"
    assert "sid" not in browser.cookies
    browser.cookies = kept
    assert "Sign in" in browser.read("/projects").text


def test_whoever_has_to_sign_in_is_led_back_afterwards(api: Api) -> None:
    project = api.project()
    answer = Browser(api).get(f"/projects/{project}?q=a%20b")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next=%2Fprojects%2F{project}%3Fq%3Da%2520b"


def test_strangers_see_public_projects_and_a_way_in_and_nothing_else(api: Api) -> None:
    public, private = api.project(public=True), api.project()
    page = Browser(api).read(f"/projects?q={public}")
    assert public in page.text
    assert f"/projects/{public}" in page.links()
    assert not {link for link in page.links() if link.startswith(("/admin", "/audit", "/replication", "/events"))}
    assert private not in Browser(api).read("/projects").text


def test_what_is_refused_says_so_on_a_page_with_the_number_of_the_request(api: Api) -> None:
    outsider, private = Browser(api).sign_in(api.user()), api.project()
    answer = outsider.get(f"/projects/{private}")
    page = Reading(answer.text)
    assert answer.status_code == 403
    assert "You may not do this" in page.text
    assert answer.headers["x-request-id"] in page.text


def test_every_page_forbids_what_is_not_its_own(admin: Browser) -> None:
    answer = admin.get("/projects")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert " style=" not in answer.text
    assert "onclick" not in answer.text


def test_a_theme_is_kept_and_a_foolish_one_is_not(admin: Browser) -> None:
    admin.cookies["theme"] = "dark"
    assert '<html lang="en" data-theme="dark">' in admin.get("/projects").text
    admin.cookies["theme"] = '"><script>'
    assert '<html lang="en">' in admin.get("/projects").text


def test_a_project_is_made_and_the_next_page_tells_it_once(api: Api, admin: Browser) -> None:
    answer = admin.post("/projects-new", {"name": "made-here", "public": "on", "limit": "3"})
    assert "Project made-here is made." in Reading(answer.text).text
    assert "is made" not in admin.read("/projects/made-here").text
    project = api.get("/projects/made-here").json
    assert project["metadata"]["public"] == "true"
    assert api.get("/projects/made-here/summary").json["quota"]["hard"]["storage"] == 3 * 1024**3


def test_a_refused_name_is_told_in_the_form_which_keeps_what_was_typed(admin: Browser) -> None:
    answer = admin.post("/projects-new", {"name": HOSTILE, "public": "on"})
    page = Reading(answer.text)
    assert answer.status_code == 400
    assert page.values()["name"] == HOSTILE
    assert page.values()["public"] == "on"
    assert any(attributes.get("role") == "alert" for attributes in page.all("div"))
    assert "<script>alert" not in answer.text


def test_htmx_gets_the_part_that_it_asks_for(admin: Browser) -> None:
    part = admin.get("/projects?q=library", part="list").text
    form = admin.get("/projects-new", part="sheet").text
    assert part.lstrip().startswith('<section id="list"')
    assert '<h2 id="sheet-title">New project</h2>' in form
    assert '<h1 id="sheet-title">New project</h1>' in admin.get("/projects-new").text
    assert "<html" not in part + form
    asked = {"HX-Request": "true", "HX-Target": "sheet"}
    made = admin.post("/projects-new", {"name": "by-htmx"}, follow=False, **asked)
    assert (made.status_code, made.headers["hx-redirect"]) == (200, "/projects/by-htmx")


@pytest.mark.parametrize(
    "query", ["?page=0", "?page=x", "?page=-3", "?page=99999999999", "?sort=x;drop", "?q=%27%22%25_~{[("]
)
def test_an_address_that_makes_no_sense_shows_the_list_all_the_same(admin: Browser, query: str) -> None:
    assert "Projects" in admin.read("/projects" + query).text


def test_a_list_is_paged_sorted_and_searched_by_its_address(api: Api, admin: Browser) -> None:
    for number in range(30):
        api.made("/projects", {"project_name": f"paged{number:02}", "metadata": {"public": "false"}})
    first, second = admin.read("/projects?q=paged"), admin.read("/projects?q=paged&sort=name&page=2")
    backwards = admin.read("/projects?q=paged&sort=-name")
    assert "30 projects · page 1 of 2" in first.text
    assert "/projects?q=paged&sort=name&page=2" in first.links()
    assert ("paged24" in first.text, "paged25" in first.text) == (True, False)
    assert ("paged24" in second.text, "paged25" in second.text) == (False, True)
    assert ("paged29" in backwards.text, "paged00" in backwards.text) == (True, False)
    assert "No project matches" in admin.read("/projects?q=no-such-thing").text


def test_only_who_may_make_a_project_is_offered_it(api: Api, admin: Browser) -> None:
    user = Browser(api).sign_in(api.user())
    assert "/projects-new" in user.read("/projects").links()
    api.send("PUT", "/configurations", ADMIN, {"project_creation_restriction": "adminonly"})
    try:
        assert "/projects-new" not in user.read("/projects").links()
        assert "/projects-new" in admin.read("/projects").links()
        assert user.post("/projects-new", {"name": "forbidden-one"}).status_code == 403
    finally:
        api.send("PUT", "/configurations", ADMIN, {"project_creation_restriction": "everyone"})


@pytest.mark.parametrize(("role", "pushes"), [("projectAdmin", True), ("developer", True), ("guest", False)])
def test_an_empty_project_shows_how_to_push_to_whoever_may(api: Api, role: str, pushes: bool) -> None:  # noqa: FBT001
    project = api.project()
    page = Browser(api).sign_in(api.member(project, role)).read(f"/projects/{project}")
    assert (f"docker push registry.test/{project}/IMAGE:TAG" in page.text) is pushes
    assert ("does not allow you to" in page.text) is not pushes
    assert (f"/projects/{project}/settings" in page.links()) is (role == "projectAdmin")


def test_a_caller_cannot_be_named_by_a_header(api: Api) -> None:
    answer = api.get("/users", NOBODY, headers={"breakwater.caller": "admin", "Breakwater-Caller": "admin"})
    assert answer.status_code == 401
