import pytest

from shared.auth.ldap.names import canonical_dn, dn_key
from shared.errors import BadRequest


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("CN=Ops, OU=Groups ,dc=x", "cn=Ops,ou=Groups,dc=x"),
        (r"cn=a\2cb,dc=x", r"cn=a\,b,dc=x"),
        (r"cn=a\,b,dc=x", r"cn=a\,b,dc=x"),
        (r"cn=\C3\A4,dc=x", "cn=ä,dc=x"),
        (r"cn=a\ ,dc=x", r"cn=a\ ,dc=x"),
        ("cn=a=b,dc=x", r"cn=a\=b,dc=x"),
        ("cn=a + ou=b,dc=x", "cn=a+ou=b,dc=x"),
        ("2.5.4.3=a", "2.5.4.3=a"),
    ],
)
def test_a_name_has_one_writing_and_that_one_stays(written: str, expected: str) -> None:
    assert canonical_dn(written) == expected
    assert canonical_dn(expected) == expected


def test_two_cases_of_a_name_are_one() -> None:
    assert dn_key("CN=Ops,DC=X") == dn_key("cn=ops, dc=x")


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "cn=", "cn=,dc=x", "cn=a,,dc=x", "cn=a,dc=x,", "cn=a\\", "cn=a\0b", "cn=a;dc=x", 'cn="a",dc=x',
        "cn=#0402", "*)(uid=*", "cn=" + "a" * 1000, "cn=a" + " " * 990 + "\\",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        canonical_dn(text)
