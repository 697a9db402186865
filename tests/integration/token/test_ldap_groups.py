"""What the groups of a real directory give: roles in projects, nested ones too, and the administrator's rights."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import psycopg
import pytest

from shared.auth.roles import Role
from shared.secrets import Sealer, Secret
from tests import factories
from tests.integration.core import company
from tests.integration.token.mount import Mount
from tests.slapd import Directory, slapd

Rows = psycopg.Connection[Any]
CATALOG = "registry:catalog:*"
_writings = count(1)


@pytest.fixture(scope="module", params=[False, True], ids=["members only", "memberof too"])
def directory(request: pytest.FixtureRequest) -> Iterator[Directory]:
    with slapd(company.PEOPLE, company.GROUPS, memberof=request.param) as directory:
        yield directory


@pytest.fixture(autouse=True)
def _configured(mount: Mount, rows: Rows, directory: Directory) -> Iterator[None]:
    sealer = Sealer.read(mount.settings.secrets / "config-key")
    password = {"sealed": sealer.seal(Secret(directory.reader_password))}
    values = company.settings_of(directory) | {"auth_mode": "ldap_auth", "ldap_search_password": password}
    factories.configure(rows, ldap_group_admin_dn="", **values)
    yield
    rows.execute("DELETE FROM core.members WHERE group_id IS NOT NULL")
    rows.execute("DELETE FROM core.user_groups")


@pytest.fixture
def project(rows: Rows) -> Iterator[str]:
    """A private project without members."""
    number = factories.project(rows)
    yield rows.execute("SELECT name FROM core.projects WHERE id = %s", (number,)).fetchone()[0]  # type: ignore[index] # it is there
    rows.execute("DELETE FROM core.members WHERE project_id = %s", (number,))


def _member(rows: Rows, directory: Directory, project: str, group: str, role: Role) -> None:
    (number,) = rows.execute("SELECT id FROM core.projects WHERE name = %s", (project,)).fetchone() or ()
    known = rows.execute("SELECT id FROM core.user_groups WHERE name = %s", (group,)).fetchone()
    group_id = known[0] if known else factories.group(rows, group, directory.group(group))
    factories.group_member(rows, number, group_id, role)


def _anew(name: str) -> str:
    """A name in a writing that is not remembered yet: its credential is judged as after a minute."""
    return " " * (next(_writings) % 200) + name


def _may(mount: Mount, project: str, name: str, password: str = "") -> set[str]:
    """What somebody is granted in a project when he is judged anew."""
    password = password or company.PEOPLE[name]
    answer = mount.get(_anew(name), f"repository:{project}/app:pull,push,delete", password=password)
    assert answer.status == 200
    return dict(answer.granted)[f"{project}/app"]


def _is_administrator(mount: Mount, name: str) -> bool:
    answer = mount.get(_anew(name), CATALOG, password=company.PEOPLE[name])
    return answer.granted == [("catalog", {"*"})]


def _groups(rows: Rows, name: str) -> list[str]:
    found = rows.execute(
        """
        SELECT g.name FROM core.user_group_members m JOIN core.user_groups g ON g.id = m.group_id
        JOIN core.users u ON u.id = m.user_id WHERE u.username = %s ORDER BY g.name
        """,
        (name,),
    )
    return [row[0] for row in found]


@pytest.mark.parametrize("group", ["team03", "department0", "everybody"])
def test_a_group_gives_its_role_through_any_number_of_groups(
    mount: Mount, rows: Rows, directory: Directory, project: str, group: str
) -> None:
    _member(rows, directory, project, group, Role.DEVELOPER)
    assert _may(mount, project, "p031") == {"pull", "push"}
    assert _groups(rows, "p031") == [group]


def test_who_is_in_no_group_of_a_project_gets_nothing(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    _member(rows, directory, project, "department1", Role.DEVELOPER)
    assert _may(mount, project, "p299") == set()
    assert _groups(rows, "p299") == []


def test_own_role_and_those_of_all_groups_add_up(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    _member(rows, directory, project, "team04", Role.GUEST)
    assert _may(mount, project, "p041") == {"pull"}
    _member(rows, directory, project, "everybody", Role.DEVELOPER)
    assert _may(mount, project, "p041") == {"pull", "push"}
    (number, user_id) = rows.execute(
        "SELECT p.id, u.id FROM core.projects p, core.users u WHERE p.name = %s AND u.username = 'p041'", (project,)
    ).fetchone() or (0, 0)
    factories.member(rows, number, user_id, Role.MAINTAINER)
    assert _may(mount, project, "p041") == {"pull", "push", "delete"}
    assert _groups(rows, "p041") == ["everybody", "team04"]


def test_groups_that_hold_each_other_come_to_an_end(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    _member(rows, directory, project, "ring-a", Role.DEVELOPER)
    _member(rows, directory, project, "ring-b", Role.GUEST)
    assert _may(mount, project, "p001") == {"pull", "push"}
    assert _may(mount, project, "p002") == {"pull", "push"}
    assert _groups(rows, "p001") == _groups(rows, "p002") == ["ring-a", "ring-b"]


def test_a_role_ends_with_the_membership_in_the_directory(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    _member(rows, directory, project, "department2", Role.DEVELOPER)
    directory.put_into("team10", directory.person("p250"))
    assert _may(mount, project, "p250") == {"pull", "push"}
    directory.take_out_of("team10", directory.person("p250"))
    assert _may(mount, project, "p250") == set()
    assert _groups(rows, "p250") == []
    assert _may(mount, project, "p250") == set()


def test_a_role_ends_when_the_group_leaves_the_group_above(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    _member(rows, directory, project, "department3", Role.DEVELOPER)
    assert _may(mount, project, "p190") == {"pull", "push"}
    directory.take_out_of("department3", directory.group("team19"))
    assert _may(mount, project, "p190") == set()
    directory.put_into("department3", directory.group("team19"))


def test_the_filter_of_groups_leaves_the_others_out(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    _member(rows, directory, project, "everybody", Role.DEVELOPER)
    factories.configure(rows, ldap_group_search_filter="(|(cn=team*)(cn=department*))")
    assert _may(mount, project, "p060") == set()
    factories.configure(rows, ldap_group_search_filter="cn=*")
    assert _may(mount, project, "p060") == {"pull", "push"}


@pytest.mark.parametrize("name", ["p000", "p295"], ids=["directly", "through a group"])
def test_the_group_of_administrators_makes_one_as_long_as_he_is_in_it(
    mount: Mount, rows: Rows, directory: Directory, name: str
) -> None:
    member = directory.person(name) if name == "p000" else directory.group("team29")
    factories.configure(rows, ldap_group_admin_dn=directory.group("admins").upper())
    first = _anew(name)
    assert mount.get(first, CATALOG, password=company.PEOPLE[name]).granted == [("catalog", {"*"})]
    stored = "SELECT sysadmin, directory_admin FROM core.users WHERE username = %s"
    assert rows.execute(stored, (name,)).fetchall() == [(False, True)]
    directory.take_out_of("admins", member)
    assert not _is_administrator(mount, name)
    # the first login is still remembered, and the account is not what it was
    assert mount.get(first, CATALOG, password=company.PEOPLE[name]).granted == [("catalog", set())]
    assert rows.execute(stored, (name,)).fetchall() == [(False, False)]
    changes = [e["data"] for e in mount.events("user.updated") if e["subject"] == name]
    assert [(each["changed"], each["admin"]) for each in changes][-1] == (["admin_role_in_auth"], False)
    directory.put_into("admins", member)


def test_the_first_login_of_an_administrator_tells_that_he_is_one(
    mount: Mount, rows: Rows, directory: Directory
) -> None:
    factories.configure(rows, ldap_group_admin_dn=directory.group("admins"))
    rows.execute("DELETE FROM core.users WHERE username = 'p296'")
    assert _is_administrator(mount, "p296")
    (created,) = [e["data"] for e in mount.events("user.created") if e["subject"] == "p296"][-1:]
    assert created["admin"]


def test_an_administrator_of_the_database_stays_one_whatever_the_directory_says(mount: Mount, rows: Rows) -> None:
    assert not _is_administrator(mount, "p070")
    rows.execute("UPDATE core.users SET sysadmin = true WHERE username = 'p070'")
    assert _is_administrator(mount, "p070")
    rows.execute("UPDATE core.users SET sysadmin = false WHERE username = 'p070'")


def test_a_chain_of_groups_longer_than_is_followed_ends_without_harm(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    deep = "\n".join(
        f"dn: {directory.group(f'deep{number}')}\nobjectClass: groupOfNames\ncn: deep{number}\n"
        f"member: {directory.group(f'deep{number - 1}') if number else directory.person('p080')}\n"
        for number in range(15)
    )
    directory.add(deep)
    _member(rows, directory, project, "deep5", Role.GUEST)
    _member(rows, directory, project, "deep14", Role.MAINTAINER)
    assert _may(mount, project, "p080") == {"pull"}


def test_a_group_is_not_broken_out_of_by_the_name_of_a_member(
    mount: Mount, rows: Rows, directory: Directory, project: str
) -> None:
    odd = rf"uid=odd\, (one)*\5c,{directory.people_base}"
    directory.add(
        f"dn: {odd}\nobjectClass: inetOrgPerson\nuid: odd, (one)*\\\nuid: odd\ncn: Odd\nsn: One\n"
        "userPassword: Odd1-of-the-directory\n"
    )
    _member(rows, directory, project, "team09", Role.DEVELOPER)
    assert _may(mount, project, "odd", "Odd1-of-the-directory") == set()
    directory.put_into("team09", odd)
    assert _may(mount, project, "odd", "Odd1-of-the-directory") == {"pull", "push"}
