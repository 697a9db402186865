"""What a user's name, profile and password have to be like."""

import pytest

from services.api.domain.user import Profile, check_password, check_username, retired
from services.api.errors import UnfitUser
from shared.secrets import Secret


@pytest.mark.parametrize("name", ["a", "anna", "anna.lee-2", "Anna Lee", "jürgen", "x" * 255, "anna@example.test"])
def test_a_name_that_one_can_log_in_with_is_taken(name: str) -> None:
    assert check_username(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " anna", "anna ", "x" * 256, "system:metadata", "robot$ci", "a,b", 'a"b', "a~b", "a#1", "a%b", "a:b", "a/b",
     "a\\b", "a\nb", "a\x00b", "a\u200bb"],
)  # fmt: skip
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(UnfitUser):
        check_username(name)


@pytest.mark.parametrize("password", ["Abcdefg1", "A1" + "b" * 126, "Pass wörd 1"])
def test_a_password_that_keeps_the_rule_is_taken(password: str) -> None:
    assert check_password(Secret(password)).reveal() == password


@pytest.mark.parametrize(
    "password", ["", "Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "A1" + "b" * 127, "Abcdefg1\x00", "Abcdefg1\n"]
)
def test_a_password_that_breaks_the_rule_is_refused_without_being_told(password: str) -> None:
    with pytest.raises(UnfitUser) as refused:
        check_password(Secret(password))
    assert not password or password not in refused.value.sentence


def test_a_profile_is_trimmed() -> None:
    profile = Profile(email=" a@b.test ", realname=" Anna ", comment=" c ").checked()
    assert profile == Profile(email="a@b.test", realname="Anna", comment="c")


@pytest.mark.parametrize(
    "profile",
    [
        Profile(email="", realname="A", comment=""),
        Profile(email="a", realname="A", comment=""),
        Profile(email="a@b", realname="A", comment=""),
        Profile(email="a@b.test, c@d.test", realname="A", comment=""),
        Profile(email="a@" + "b" * 250 + ".test", realname="A", comment=""),
        Profile(email="a@b.test", realname="", comment=""),
        Profile(email="a@b.test", realname="x" * 256, comment=""),
        Profile(email="a@b.test", realname="a\x00", comment=""),
        Profile(email="a@b.test", realname="A", comment="x" * 31),
    ],
    ids=str,
)
def test_a_profile_that_breaks_a_rule_is_refused(profile: Profile) -> None:
    with pytest.raises(UnfitUser):
        profile.checked()


def test_a_deleted_accounts_name_cannot_be_a_new_ones() -> None:
    assert retired("anna", 7) == "anna#7"
    assert len(retired("x" * 255, 12_345)) == 255
    with pytest.raises(UnfitUser):
        check_username(retired("anna", 7))
