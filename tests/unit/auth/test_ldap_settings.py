from typing import Any

import pytest
from cryptography.fernet import Fernet

from shared.auth.ldap.filters import holding_filter, user_filter
from shared.auth.ldap.settings import LdapSettings
from shared.errors import ConfigurationError
from shared.secrets import Sealer, Secret

SEALER = Sealer([Secret(Fernet.generate_key().decode())])
BASE: dict[str, Any] = {
    "auth_mode": "ldap_auth",
    "ldap_url": "ldaps://directory.example.test",
    "ldap_base_dn": "dc=example,dc=test",
    "ldap_uid": "uid",
}


def _parsed(**more: object) -> LdapSettings:
    settings = LdapSettings.parse(BASE | more, SEALER)
    assert settings is not None
    return settings


@pytest.mark.parametrize("change", [{"auth_mode": "db_auth"}, {"auth_mode": None}, {"ldap_url": ""}])
def test_without_the_mode_or_a_url_no_directory_is_asked(change: dict[str, object]) -> None:
    assert LdapSettings.parse(BASE | change, SEALER) is None


def test_what_is_not_configured_has_harbors_defaults() -> None:
    settings = LdapSettings.parse({key: BASE[key] for key in ("auth_mode", "ldap_url")}, SEALER)
    assert settings is not None
    assert (settings.uid, settings.scope, settings.timeout, settings.verify_cert) == ("cn", 2, 5, True)


def test_the_search_password_is_sealed_at_rest_and_masked_in_text() -> None:
    settings = _parsed(ldap_search_password={"sealed": SEALER.seal(Secret("hidden"))})
    assert settings.search_password.reveal() == "hidden"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anna", "(uid=anna)"),
        ("*", r"(uid=\2a)"),
        ("*)(uid=*", r"(uid=\2a\29\28uid=\2a)"),
        ("admin)(&", r"(uid=admin\29\28&)"),
        ("a\\b", r"(uid=a\5cb)"),
        ("a\0b", r"(uid=a\00b)"),
    ],
)
def test_a_name_cannot_break_out_of_the_filter(name: str, expected: str) -> None:
    assert user_filter(_parsed(), name) == expected


@pytest.mark.parametrize("filter_", ["(objectClass=person)", "objectClass=person"])
def test_the_configured_filter_narrows_the_search(filter_: str) -> None:
    assert user_filter(_parsed(ldap_filter=filter_), "anna") == "(&(uid=anna)(objectClass=person))"


def test_numbers_may_come_as_texts_but_not_as_words() -> None:
    assert _parsed(ldap_scope="1", ldap_timeout="3").scope == 1
    with pytest.raises(ConfigurationError, match="ldap_scope"):
        _parsed(ldap_scope="all")


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("ldap://a", ("ldap://a",)),
        ("ldap://a,ldaps://b", ("ldap://a", "ldaps://b")),
        (" ldap://a , ldaps://b  ldap://a\n", ("ldap://a", "ldaps://b")),
    ],
)
def test_several_servers_are_separated_by_blanks_or_commas(text: str, urls: tuple[str, ...]) -> None:
    assert _parsed(ldap_url=text).urls == urls


def test_a_changed_password_makes_other_settings_and_the_same_one_does_not() -> None:
    first, same, other = (
        _parsed(ldap_search_password={"sealed": SEALER.seal(Secret(text))}) for text in ("one", "one", "other")
    )
    assert first == same
    assert first != other


def test_groups_are_looked_for_where_people_are_unless_told_otherwise() -> None:
    assert _parsed().group_base_dn == BASE["ldap_base_dn"]
    assert _parsed(ldap_group_base_dn="ou=g").group_base_dn == "ou=g"


def test_members_cannot_break_out_of_the_filter_of_groups() -> None:
    settings = _parsed(ldap_group_search_filter="objectClass=group")
    assert holding_filter(settings, ["cn=a)(cn=*", "b"]) == (
        r"(&(|(member=cn=a\29\28cn=\2a)(uniqueMember=cn=a\29\28cn=\2a)(member=b)(uniqueMember=b))(objectClass=group))"
    )
