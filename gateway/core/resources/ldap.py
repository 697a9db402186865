"""Tag Ldap: /ldap. What the directory says, and its users' accounts made before their first login."""

import falcon

from gateway.core.access import require_administrator, require_system
from gateway.core.bodies.ldap import LdapConfBody, LdapImportBody
from gateway.core.onboarding import Onboarding
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.group import directory_group_view
from gateway.core.views.ldap import directory_user_view
from shared.auth.ldap.directory import LdapDirectory, NoDirectory
from shared.auth.ldap.names import canonical_dn


class LdapPing:
    """/ldap/ping."""

    def __init__(self, ldap: LdapDirectory) -> None:
        self._ldap = ldap

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Try a directory out, the configured one where none is given."""
        require_administrator(req)
        body = read_body(req, LdapConfBody) if req.content_length else None
        req.release_database()
        settings = self._ldap.present().settings
        if body is not None and body.model_fields_set:
            settings = body.settings(settings)
        if settings is None:
            raise NoDirectory
        problem = self._ldap.try_out(settings)
        resp.media = {"success": True} if problem is None else {"message": problem}


class LdapUserSearch:
    """/ldap/users/search."""

    def __init__(self, ldap: LdapDirectory) -> None:
        self._ldap = ldap

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show the user of a name, or all."""
        require_system(req, ("ldap-user", "list"))
        req.release_database()
        resp.media = [directory_user_view(user) for user in self._ldap.find_users(req.text("username"))]


class LdapUserImport:
    """/ldap/users/import."""

    def __init__(self, onboarding: Onboarding) -> None:
        self._onboarding = onboarding

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make accounts; those that cannot be made are told, the others are made all the same."""
        require_system(req, ("ldap-user", "create"))
        failed = self._onboarding.import_users(req, read_body(req, LdapImportBody).ldap_uid_list)
        if failed:
            resp.status = falcon.HTTP_404
            resp.media = [{"uid": uid, "error": reason} for uid, reason in failed.items()]


class LdapGroupSearch:
    """/ldap/groups/search."""

    def __init__(self, ldap: LdapDirectory) -> None:
        self._ldap = ldap

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show the groups of a name, the one of a distinguished name, or all."""
        require_system(req, ("ldap-user", "list"))
        name, dn = req.text("groupname"), req.text("groupdn")
        wanted = canonical_dn(dn) if dn and not name else ""
        req.release_database()
        if wanted:
            found = self._ldap.find_group(wanted)
            groups = [] if found is None else [found]
        else:
            groups = self._ldap.find_groups(name)
        resp.media = [directory_group_view(group) for group in groups]
