"""The members of a project in the portal: seen by most roles, kept by project admins."""

import pytest

from tests.integration.core.people import NOBODY, ROLES, Api, Caller
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person


def _members(api: Api, project: str) -> dict[str, int]:
    return {each["entity_name"]: each["role_id"] for each in api.get(f"/projects/{project}/members").json}


def _number(api: Api, project: str, caller: Caller) -> int:
    (found,) = api.get(f"/projects/{project}/members?entityname={caller.name}").json
    return int(found["id"])


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", "act"), ("maintainer", "see"), ("developer", "see"), ("guest", "see"), ("limitedGuest", "")],
)
def test_a_role_sees_and_is_offered_what_it_may(api: Api, role: str, may: str) -> None:
    project, sees, acts = api.project(), bool(may), may == "act"
    member = api.member(project, role)
    path, number = f"/projects/{project}/members", _number(api, project, member)
    admin = person(api, member)
    page = admin.open(path)
    assert (page.status, member.name in page.words) == ((200, True) if sees else (403, True))
    assert admin.open(f"/projects/{project}").offers(path) is sees
    forms = [f"{path}/new", f"{path}/{number}/role", f"{path}/{number}/remove"]
    assert [page.offers(form) for form in forms] == [acts] * 3
    assert [admin.open(form).status for form in forms] == [200 if acts else 403] * 3


def test_a_stranger_is_asked_to_sign_in(api: Api) -> None:
    page = person(api, NOBODY).open(f"/projects/{api.project(public=True)}/members")
    assert (page.status, page.went_to.partition("?")[0]) == (303, "/sign-in")


def test_a_project_admin_adds_a_member_changes_the_role_and_removes_them(api: Api) -> None:
    project, newcomer = api.project(), api.user()
    admin, path = person(api, api.member(project, "projectAdmin")), f"/projects/{project}/members"
    added = admin.fill(f"{path}/new", {"name": f" {newcomer.name} ", "role": "3"})
    assert (added.status, added.went_to) == (303, path)
    assert added.notice == f"{newcomer.name} is a member now: Guest."
    assert _members(api, project)[newcomer.name] == ROLES["guest"]
    number = _number(api, project, newcomer)
    changed = admin.fill(f"{path}/{number}/role", {"role": "4"}, part="sheet")
    assert (changed.status, changed.went_to) == (200, path)
    assert _members(api, project)[newcomer.name] == ROLES["maintainer"]
    question = admin.open(f"{path}/{number}/remove", part="sheet")
    assert "loses the role Maintainer" in question.words
    assert question.forms[0].buttons == ["Remove member"]
    assert admin.fill(f"{path}/{number}/remove").notice == f"{newcomer.name} is no member any more."
    assert newcomer.name not in _members(api, project)


def test_a_group_becomes_a_member_by_its_distinguished_name(api: Api) -> None:
    project = api.project()
    with api.database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.user_groups (name, type, ldap_dn) VALUES ('dockers', 1, 'cn=dockers,dc=test')"
        )
    admin, path = person(api), f"/projects/{project}/members"
    names = admin.open(f"{path}/names?kind=g&name=dock", part="names")
    assert names.html.strip() == '<datalist id="names"><option value="dockers"></option></datalist>'
    assert admin.fill(f"{path}/new", {"kind": "g", "name": "cn=dockers,dc=test", "role": "5"}).status == 303
    assert _members(api, project)["dockers"] == ROLES["limitedGuest"]
    page = admin.open(path)
    assert "Group of the directory" in page.words
    number = _number(api, project, Caller(name="dockers"))
    assert "Everybody in this group loses" in admin.open(f"{path}/{number}/remove").words


def test_a_refusal_is_said_in_the_form_which_keeps_what_was_typed(api: Api) -> None:
    project = api.project()
    admin, path = person(api), f"/projects/{project}/members"
    before = _members(api, project)
    refused = admin.fill(f"{path}/new", {"name": HOSTILE, "role": "4"}, part="sheet")
    assert refused.status == 404
    assert "script" not in refused.tags
    fields = dict(refused.form(f"{path}/new").fields)
    assert (fields["name"], fields["role"]) == (HOSTILE, "4")
    assert 'role="alert"' in refused.html
    assert admin.post(f"{path}/new", {"name": "admin", "role": "one"}).status == 400
    assert _members(api, project) == before


def test_a_form_of_another_site_changes_nothing(api: Api) -> None:
    project, newcomer = api.project(), api.user()
    admin = person(api)
    fields = {"name": newcomer.name, "role": "1"}
    sent = admin.post(f"/projects/{project}/members/new", fields, Origin="https://elsewhere.example")
    assert sent.status == 403
    assert newcomer.name not in _members(api, project)


def test_the_list_is_searched_and_exchanged_by_itself(api: Api) -> None:
    project = api.project()
    members = [api.member(project, "guest") for _ in range(3)]
    admin = person(api)
    part = admin.open(f"/projects/{project}/members?q={members[1].name}", part="list")
    assert part.html.lstrip().startswith('<section id="list"')
    assert [member.name in part.words for member in members] == [False, True, False]
    api.member(project, "maintainer")
    turned = admin.open(f"/projects/{project}/members?sort=-role_id", part="list").words
    assert turned.index("Maintainer") < turned.index("Guest") < turned.index("Project admin")
    none = admin.open(f"/projects/{project}/members?q=%3Cscript%3E")
    assert "No member matches" in none.words
    assert "<script>" not in none.html
