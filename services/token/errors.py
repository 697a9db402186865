"""What the token endpoint refuses."""

from typing import Final

from shared.errors import BadRequest, ConfigurationError, Forbidden, Unauthorized

WRONG_CREDENTIALS: Final = "incorrect username or password"


class MalformedScope(BadRequest):
    """A scope is not `type:name:actions`."""

    default = "a scope has the form type:name:actions"


class TooManyScopes(BadRequest):
    """More scopes than any client needs."""

    default = "too many scopes in one request"


class UnfitName(BadRequest):
    """A refresh token cannot be named so."""

    default = "the name of a refresh token is missing or too long"


class UnknownService(BadRequest):
    """The token is asked for a service that is not this registry."""

    default = "the parameter 'service' does not name this registry"


class UnsupportedGrant(BadRequest):
    """An OAuth2 grant other than `password` and `refresh_token`."""

    default = "grant_type must be 'password' or 'refresh_token'"


class WrongCredentials(Unauthorized):
    """The credential is not right; which part of it, nobody is told."""

    default = WRONG_CREDENTIALS


class NotAllowed(Unauthorized):
    """The credential is right, and its account may not do what the request asks for."""

    default = "unauthorized to access the repository"


class QuotaUsedUp(Forbidden):
    """The account may push, and there is no room left in the project."""

    code = "DENIED"
    default = "the project's storage quota is used up: delete something, or ask an administrator for more"


class LoginRequired(Unauthorized):
    """Nobody has signed in, and no scope is asked that could be public."""

    default = "authentication is required"


class SigningKeysUnusable(ConfigurationError):
    """The folder of signing keys lacks something or cannot be read."""

    default = "the signing keys cannot be used"
