"""The directory in the portal: how it is asked, tried out before it is saved, and whom it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.core import company
from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.portal.browsing import HOSTILE, Browser, Reading
from tests.integration.portal.test_administration import chosen
from tests.slapd import LOOPBACK, Directory, slapd

DIRECTORY = "/admin/directory"
SEARCH = "/admin/directory/search"


@pytest.fixture(scope="module")
def outbound_allow() -> str:
    return LOOPBACK


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with slapd(company.PEOPLE, company.GROUPS) as directory:
        yield directory


@pytest.fixture(autouse=True)
def _configured(api: Api, directory: Directory) -> None:
    company.configure(api, directory)


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def test_the_password_is_never_shown_and_kept_where_the_field_is_empty(
    api: Api, admin: Browser, directory: Directory
) -> None:
    answer = admin.get(DIRECTORY)
    assert directory.reader_password not in answer.text
    fields = chosen(Reading(answer.text))
    assert (fields["ldap_search_password"], fields["ldap_url"]) == ("", directory.url)
    saved = admin.post(DIRECTORY, fields | {"do": "save", "ldap_timeout": "7"})
    assert "The directory's configuration is saved." in Reading(saved.text).text
    assert api.get("/configurations").json["ldap_timeout"]["value"] == 7
    assert api.send("POST", "/ldap/ping").json == {"success": True}


def test_what_is_typed_is_tried_out_and_not_saved(api: Api, admin: Browser) -> None:
    before = api.get("/configurations").json
    fields = chosen(admin.read(DIRECTORY)) | {"do": "test", "ldap_filter": "(uid=p04*)"}
    answer = admin.post(DIRECTORY, fields)
    assert "The directory answers" in Reading(answer.text).text
    assert Reading(answer.text).values()["ldap_filter"] == "(uid=p04*)"
    wrong = admin.post(DIRECTORY, fields | {"ldap_search_password": "wrong-password"})
    assert "search account" in Reading(wrong.text).text
    assert "Nothing is saved." in Reading(wrong.text).text
    assert "wrong-password" not in wrong.text
    assert api.get("/configurations").json == before


def test_what_cannot_be_is_told_and_shown_again(api: Api, admin: Browser) -> None:
    before = api.get("/configurations").json
    fields = chosen(admin.read(DIRECTORY)) | {"ldap_url": HOSTILE}
    for do in ("save", "test"):
        answer = admin.post(DIRECTORY, fields | {"do": do})
        assert answer.status_code == 400
        assert "must begin with ldap:// or ldaps://" in Reading(answer.text).text
        assert Reading(answer.text).values()["ldap_url"] == HOSTILE
        assert "<script>alert" not in answer.text
    assert api.get("/configurations").json == before


def test_the_kind_of_sign_in_cannot_be_changed_once_there_are_others(api: Api, admin: Browser) -> None:
    api.user()
    (mode,) = [attributes for attributes in admin.read(DIRECTORY).all("select") if attributes["name"] == "auth_mode"]
    assert "disabled" in mode


def test_users_are_searched_and_imported(api: Api, admin: Browser) -> None:
    assert "Search by name" in admin.read(SEARCH).text
    assert "p042@example.test" in admin.read(f"{SEARCH}?q=p042").text
    assert "Nothing found" in admin.read(f"{SEARCH}?q=nobody-like-this").text
    assert "100 more were found." in admin.read(f"{SEARCH}?q=").text
    answer = admin.post(SEARCH, {"kind": "users", "q": "p042", "chosen": ["p042", "p043"]})
    assert "Imported: 2." in Reading(answer.text).text
    assert [each["username"] for each in api.get("/users?q=username=~p04").json] == ["p042", "p043"]
    none = admin.post(SEARCH, {"kind": "users", "q": "p042"})
    assert (none.status_code, "Tick at least one." in Reading(none.text).text) == (400, True)


def test_groups_are_searched_imported_renamed_and_deleted(api: Api, admin: Browser) -> None:
    dn = "cn=team01,ou=groups,dc=example,dc=test"
    assert "No groups yet" in admin.read("/admin/groups").text
    assert dn in admin.read(f"{SEARCH}?kind=groups&q=team01").text
    admin.post(SEARCH, {"kind": "groups", "q": "team01", "chosen": [dn]})
    again = admin.post("/admin/groups/new", {"dn": dn})
    assert again.status_code == 409
    assert Reading(again.text).values()["dn"] == dn
    (group,) = api.get("/usergroups").json
    path = f"/admin/groups/{group['id']}"
    admin.post(f"{path}/rename", {"name": HOSTILE})
    assert api.get(f"/usergroups/{group['id']}").json["group_name"] == HOSTILE
    shown = admin.get("/admin/groups").text
    assert HOSTILE in Reading(shown).text
    assert "<script>alert" not in shown
    refused = admin.post(f"{path}/rename", {"name": "x" * 256})
    assert refused.status_code in {400, 422}
    assert "x" * 256 in refused.text
    assert "The directory is not changed" in admin.read(f"{path}/delete").text
    admin.post(f"{path}/delete", {})
    assert api.get("/usergroups").json == []


def test_an_account_of_the_directory_says_so_and_offers_no_change(api: Api, admin: Browser) -> None:
    caller = Caller(name="p050", password=company.PEOPLE["p050"])
    page = Browser(api).sign_in(caller).read("/profile")
    assert "Kept in the company's directory" in page.text
    assert not {"/profile/edit", "/profile/password"} & page.links()
    number = api.user_id(caller)
    links = admin.read("/admin/users?q=p050").links()
    assert f"/admin/users/{number}/delete" in links
    assert f"/admin/users/{number}/password" not in links
    assert "/admin/users/new" not in links
    passwords = {"new_password": "A2bcdefgh", "again": "A2bcdefgh"}
    assert admin.post(f"/admin/users/{number}/password", passwords).status_code == 403


def test_a_directory_that_is_away_is_told_where_it_is_searched(api: Api, admin: Browser, directory: Directory) -> None:
    company.configure(api, directory, ldap_url="ldap://127.0.0.1:1")
    answer = admin.get(f"{SEARCH}?q=p042")
    assert answer.status_code == 503
    assert "Ask the directory's administrators" in Reading(answer.text).text
