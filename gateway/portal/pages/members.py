"""The members of a project: who has which role, and what that role means in plain words."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.sheets import FormPage, Question, QuestionPage, filled
from gateway.portal.portal import page
from shared.auth.roles import Role

ROLES: Final = {
    Role.PROJECT_ADMIN: ("Project admin", "Everything in the project: members, robot accounts, settings and its end."),
    Role.MAINTAINER: ("Maintainer", "Pulls, pushes and deletes images; keeps labels and the rules for tags."),
    Role.DEVELOPER: ("Developer", "Pulls and pushes images and keeps the rules of retention; deletes nothing by hand."),
    Role.GUEST: ("Guest", "Pulls images, and sees members, robot accounts and labels."),
    Role.LIMITED_GUEST: ("Limited guest", "Pulls images, and sees nothing else."),
}
"""Names and meanings of the roles, those that hold most first."""
_NAMES: Final = {role.value: name for role, (name, _) in ROLES.items()}
_GROUP: Final = "g"
_LDAP_GROUP: Final = 1
_SUGGESTED: Final = 10


class Members(ActingPage):
    """/projects/{project}/members."""

    needed = ("member", "list")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The members by name, or as asked."""
        visit = self.visit(req, resp, project=project)
        state = list_state(req, sorts=("entity_name", "role_id", "-creation_time"))
        found = visit.api.listed(
            f"{visit.place}/members", page=state.page, page_size=state.page_size, sort=state.sort,
            entityname=state.search,
        )  # fmt: skip
        self.portal.show(
            req, resp, "members.html", block="list", project=visit.project, state=state, members=found.items,
            total=found.total, roles=_NAMES,
        )  # fmt: skip


class Names(ActingPage):
    """/projects/{project}/members/names: what could be meant by what was typed so far."""

    needed = ("member", "create")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Users or groups whose name contains it."""
        visit, typed = self.visit(req, resp, project=project), req.text("name").strip()
        names = []
        if typed and req.text("kind") == _GROUP:
            found = visit.api.listed("/usergroups/search", groupname=typed, page_size=_SUGGESTED)
            names = [group["group_name"] for group in found.items]
        elif typed:
            found = visit.api.listed("/users/search", username=typed, page_size=_SUGGESTED)
            names = [user["username"] for user in found.items]
        self.portal.show(
            req, resp, "member_new.html", block="names", project=visit.project, form=Form(), sentence="",
            **_new(visit, names),
        )  # fmt: skip


class NewMember(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/members/new."""

    needed = ("member", "create")
    template = "member_new.html"

    def first(self, visit: ProjectVisit) -> Form:
        """A developer, as most are."""
        del visit
        return filled({"kind": "u", "role": Role.DEVELOPER.value})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """The roles to choose from."""
        del form
        return _new(visit, [])

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Make somebody a member."""
        name, role = form.text("name"), form.number("role")
        if form.text("kind") == _GROUP:
            by = "ldap_group_dn" if "=" in name else "group_name"
            named: dict[str, object] = {"member_group": {by: name, "group_type": _LDAP_GROUP}}
        else:
            named = {"member_user": {"username": name}}
        visit.api.send("POST", f"{visit.place}/members", {"role_id": role, **named})
        self.go(visit, "/members", f"{name} is a member now: {_NAMES.get(role)}.")


class MemberRole(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/members/{member}/role."""

    needed = ("member", "update")
    template = "member_role.html"

    def first(self, visit: ProjectVisit) -> Form:
        """The role that there is."""
        return filled({"role": _member(visit)["role_id"]})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """Whose role it is."""
        del form
        return {"member": _member(visit), "roles": ROLES, "back": f"{visit.project.path}/members"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Give another role."""
        member, role = _member(visit), form.number("role")
        visit.api.send("PUT", f"{visit.place}/members/{member['id']}", {"role_id": role})
        self.go(visit, "/members", f"{member['entity_name']} has the role {_NAMES.get(role)} now.")


class RemoveMember(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/members/{member}/remove."""

    needed = ("member", "delete")

    def question(self, visit: ProjectVisit) -> Question:
        """What whoever goes loses."""
        member = _member(visit)
        name = member["entity_name"]
        label, meaning = ROLES[Role(member["role_id"])]
        group = member["entity_type"] == _GROUP
        who = "Everybody in this group" if group else name
        meaning = meaning[:1].lower() + meaning[1:]
        lines = [
            f"{who} loses the role {label} in {visit.project.name}: {meaning}",
            "Clients that are signed in lose it within minutes.",
            "Whoever is a member by himself, or by another group, keeps that role."
            if group
            else "What comes from a group of the directory stays, and so does whatever was pushed.",
        ]
        if visit.project.is_public:
            lines.append("The project is public: its images can still be pulled by anybody.")
        return Question(
            title=f"Remove {name}", lines=lines, verb="Remove member", back=f"{visit.project.path}/members"
        )

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Remove the member."""
        del form
        member = _member(visit)
        visit.api.send("DELETE", f"{visit.place}/members/{member['id']}")
        return f"{member['entity_name']} is no member any more."


def _member(visit: ProjectVisit) -> dict[str, Any]:
    found: dict[str, Any] = visit.api.get(f"{visit.place}/members/{visit.parts['member']}")
    return found


def _new(visit: ProjectVisit, names: list[str]) -> dict[str, Any]:
    return {"roles": ROLES, "names": names, "back": f"{visit.project.path}/members"}
