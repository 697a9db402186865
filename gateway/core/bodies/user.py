"""Bodies about users."""

from pydantic import Field

from gateway.core.reading import Body
from services.api.domain.user import NewUser, Profile
from shared.secrets import Secret


class ProfileBody(Body):
    """What a user may change of himself."""

    email: str = Field(default="", max_length=255)
    realname: str = ""
    comment: str = ""

    def profile(self) -> Profile:
        """The profile asked for."""
        return Profile(email=self.email, realname=self.realname, comment=self.comment)


class NewUserBody(ProfileBody):
    """An account to be made."""

    username: str = Field(default="", max_length=255)
    password: str = Field(default="", repr=False)

    def new_user(self) -> NewUser:
        """The account asked for."""
        return NewUser(username=self.username, password=Secret(self.password), profile=self.profile())


class AdministratorBody(Body):
    """Whether somebody is a system administrator."""

    sysadmin_flag: bool = False


class DisabledBody(Body):
    """Whether an account is shut out."""

    disabled: bool


class NewRefreshTokenBody(Body):
    """A refresh token to be made."""

    client_id: str = ""


class PasswordBody(Body):
    """A new password, and the old one where it is the caller's own."""

    old_password: str = Field(default="", repr=False)
    new_password: str = Field(default="", repr=False)
