"""The directory that people sign in at: how it is asked, and who of it has an account here."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.groups import LDAP_GROUP
from gateway.portal.pages.setting_fields import ConfigurationPage, ConfigurationVisit, Kind, Section, Setting
from gateway.portal.portal import Page

_SCOPES: Final = (("2", "The base and everything below it"), ("1", "One level below the base"), ("0", "The base alone"))
_MOST_SHOWN: Final = 200
SECTIONS: Final = (
    Section(
        name="mode", title="Sign-in",
        settings=(
            Setting(
                key="auth_mode", label="Accounts are kept in", kind=Kind.CHOICE,
                options=(("db_auth", "Breakwater"), ("ldap_auth", "The directory below")),
                hint="Can be changed only while admin is the only account. That account signs in either way.",
            ),
        ),
    ),
    Section(
        name="server", title="Servers",
        settings=(
            Setting(
                key="ldap_url", label="Addresses", hint="ldap:// or ldaps://, several with blanks between: the first"
                " that answers is asked.",
            ),
            Setting(key="ldap_timeout", label="Time-out in seconds", kind=Kind.NUMBER, required=True, hint="1 to 60."),
            Setting(key="ldap_start_tls", label="StartTLS", kind=Kind.FLAG, hint="Encrypt connections to ldap://."),
            Setting(
                key="ldap_verify_cert", label="Check certificates", kind=Kind.FLAG,
                hint="Without it anybody on the way can read every password.",
            ),
            Setting(
                key="ldap_ca_certificate", label="Certificates of authorities", kind=Kind.LONG,
                hint="In PEM. Empty: those that this machine trusts.",
            ),
        ),
    ),
    Section(
        name="search", title="Search account",
        settings=(
            Setting(
                key="ldap_search_dn", label="Distinguished name", hint="Who looks users up. Empty: without an account."
            ),
            Setting(
                key="ldap_search_password", label="Password", kind=Kind.PASSWORD,
                hint="Never shown. Left empty, the one that is set stays.",
            ),
        ),
    ),
    Section(
        name="people", title="Users",
        settings=(
            Setting(key="ldap_base_dn", label="Base", hint="Where users are, such as ou=people,dc=example,dc=com."),
            Setting(key="ldap_uid", label="Attribute of the user name", hint="Often uid, or sAMAccountName."),
            Setting(key="ldap_filter", label="Filter", hint="Who may sign in, such as (objectClass=person)."),
            Setting(key="ldap_scope", label="Scope", kind=Kind.CHOICE, options=_SCOPES, numeric=True),
        ),
    ),
    Section(
        name="groups", title="Groups",
        settings=(
            Setting(key="ldap_group_base_dn", label="Base", hint="Where groups are. Empty: where users are."),
            Setting(key="ldap_group_search_filter", label="Filter", hint="Such as (objectClass=groupOfNames)."),
            Setting(key="ldap_group_attribute_name", label="Attribute of the name", hint="Empty: cn."),
            Setting(key="ldap_group_search_scope", label="Scope", kind=Kind.CHOICE, options=_SCOPES, numeric=True),
            Setting(
                key="ldap_group_membership_attribute", label="Attribute of a user that names the groups",
                hint="Often memberof.",
            ),
            Setting(
                key="ldap_group_admin_dn", label="Group of system administrators",
                hint="Its distinguished name. Whoever is in it is a system administrator here.",
            ),
        ),
    ),
)  # fmt: skip


class Directory(ConfigurationPage):
    """/admin/directory."""

    template = "directory.html"
    sections = SECTIONS
    saved = "The directory's configuration is saved."

    def values(self, visit: ConfigurationVisit, form: Form) -> dict[str, Any]:
        """Whether people sign in at it."""
        in_use = visit.configuration["auth_mode"]["value"] == "ldap_auth"
        return super().values(visit, form) | {"in_use": in_use, "tested": None}

    def act(self, visit: ConfigurationVisit, form: Form) -> None:
        """Try it out, or save it."""
        if form.text("do") == "test":
            answer = visit.api.send("POST", "/ldap/ping", _ping(self.wanted(visit, form))).content
            self.show(visit, form, tested=answer)
        else:
            super().act(visit, form)


class DirectorySearch(Page):
    """/admin/directory/search: who is in the directory, and makes accounts of them."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Those of a name, or all. Raises Refused."""
        self._show(req, resp, req.text("kind"), req.text("q").strip(), asked="q" in req.params)

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Import those that were ticked. Raises ForeignForm, BadForm."""
        form = read_form(req)
        chosen, kind = form.all("chosen"), form.text("kind")
        problems = self._import_groups(req, chosen) if kind == "groups" else self._import_users(req, chosen)
        if problems or not chosen:
            sentence = "; ".join(problems[:5]) or "Tick at least one."
            self._show(req, resp, kind, form.text("q"), asked=True, sentence=sentence, status=400)
        else:
            back = "/admin/groups" if kind == "groups" else "/admin/users"
            self.portal.go(req, resp, back, f"Imported: {len(chosen)}.")

    def _import_users(self, req: ApiRequest, names: list[str]) -> list[str]:
        """What went wrong, a sentence each; the others are made all the same."""
        if not names:
            return []
        try:
            self.portal.api(req).send("POST", "/ldap/users/import", {"ldap_uid_list": names})
        except Refused as refused:
            return [refused.sentence]
        return []

    def _import_groups(self, req: ApiRequest, names: list[str]) -> list[str]:
        problems = []
        for name in names:
            try:
                self.portal.api(req).send("POST", "/usergroups", {"group_type": LDAP_GROUP, "ldap_group_dn": name})
            except Refused as refused:
                problems.append(f"{name}: {refused.sentence}")
        return problems

    def _show(
        self, req: ApiRequest, resp: ApiResponse, kind: str, wanted: str, *, asked: bool, sentence: str = "",
        status: int = 200,
    ) -> None:  # fmt: skip
        api = self.portal.api(req)
        groups = kind == "groups"
        found: list[dict[str, Any]] = []
        if asked:
            try:
                found = (
                    api.get("/ldap/groups/search", groupname=wanted)
                    if groups
                    else api.get("/ldap/users/search", username=wanted)
                )
            except Refused as refused:
                sentence, status = sentence or refused.sentence, refused.status
        self.portal.show(
            req, resp, "directory_search.html", status=status, sentence=sentence, groups=groups, wanted=wanted,
            asked=asked, found=found[:_MOST_SHOWN], more=max(0, len(found) - _MOST_SHOWN),
        )  # fmt: skip


def _ping(values: dict[str, Any]) -> dict[str, Any]:
    """What the API's trial has fields for."""
    same = ("ldap_url", "ldap_search_dn", "ldap_base_dn", "ldap_filter", "ldap_uid", "ldap_scope", "ldap_verify_cert")
    return {key: values[key] for key in same} | {
        "ldap_search_password": values.get("ldap_search_password", ""),
        "ldap_connection_timeout": values["ldap_timeout"],
    }
