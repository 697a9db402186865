"""Bodies about the directory."""

from dataclasses import replace

from pydantic import Field

from gateway.core.reading import Body
from shared.auth.ldap.settings import LdapSettings, enclosed, split_urls
from shared.errors import BadRequest
from shared.secrets import Secret


class LdapConfBody(Body):
    """A directory to be tried out."""

    ldap_url: str = Field(default="", max_length=2000)
    ldap_search_dn: str = Field(default="", max_length=2000)
    ldap_search_password: str = Field(default="", repr=False, max_length=2000)
    ldap_base_dn: str = Field(default="", max_length=2000)
    ldap_filter: str = Field(default="", max_length=2000)
    ldap_uid: str = Field(default="cn", max_length=255)
    ldap_scope: int = Field(default=2, ge=0, le=2)
    ldap_connection_timeout: int = Field(default=5, ge=1, le=60)
    ldap_verify_cert: bool = True

    def settings(self, configured: LdapSettings | None) -> LdapSettings:
        """The settings meant; what the API has no field for is as it is configured. Raises BadRequest.

        The configured password is used where none is given, and shown to the configured servers only.
        """
        urls = split_urls(self.ldap_url)
        if not urls or not all(url.startswith(("ldap://", "ldaps://")) for url in urls):
            raise BadRequest("ldap_url must begin with ldap:// or ldaps://")
        base = configured or LdapSettings(urls=urls)
        known = base.search_password if set(urls) <= set(base.urls) else Secret("")
        return replace(
            base,
            urls=urls,
            search_dn=self.ldap_search_dn,
            search_password=Secret(self.ldap_search_password) if self.ldap_search_password else known,
            base_dn=self.ldap_base_dn,
            filter=enclosed(self.ldap_filter.strip()),
            uid=self.ldap_uid or "cn",
            scope=self.ldap_scope,
            timeout=self.ldap_connection_timeout,
            verify_cert=self.ldap_verify_cert,
        )


class LdapImportBody(Body):
    """Users of the directory who shall have accounts here."""

    ldap_uid_list: list[str] = Field(default=[], max_length=500)
