"""The one root of everything Breakwater refuses or fails at.

Each error declares its code and default sentence once; the gateway's one table turns codes into statuses and bodies.
"""

from typing import ClassVar


class BreakwaterError(Exception):
    """Something a caller is told: a stable code and one clear sentence."""

    code: ClassVar[str] = "UNKNOWN"
    default: ClassVar[str] = "internal server error"

    def __init__(self, sentence: str | None = None) -> None:
        self.sentence = sentence or self.default
        super().__init__(self.sentence)


class BadRequest(BreakwaterError):
    """The request cannot be understood."""

    code = "BAD_REQUEST"
    default = "the request is malformed"


class Unprocessable(BreakwaterError):
    """A parameter has the wrong type or is out of its range."""

    code = "UNPROCESSABLE_ENTITY"
    default = "a parameter is not valid"


class Unauthorized(BreakwaterError):
    """Nobody has signed in, or the credentials are wrong."""

    code = "UNAUTHORIZED"
    default = "authentication is required"


class Forbidden(BreakwaterError):
    """Somebody has signed in who may not do this."""

    code = "FORBIDDEN"
    default = "you are not allowed to do this"


class NotFound(BreakwaterError):
    """There is no such thing, or the caller may not know of it."""

    code = "NOT_FOUND"
    default = "not found"


class MethodNotAllowed(BreakwaterError):
    """The resource exists but has no such verb."""

    code = "METHOD_NOT_ALLOWED"
    default = "this method is not allowed here"


class Conflict(BreakwaterError):
    """The thing exists already, or is in a state that excludes the change."""

    code = "CONFLICT"
    default = "this already exists"


class PreconditionFailed(BreakwaterError):
    """Something else has to be done first."""

    code = "PRECONDITION"
    default = "a condition for this is not met"


class TooLarge(BreakwaterError):
    """The body is larger than what is accepted here."""

    code = "REQUEST_ENTITY_TOO_LARGE"
    default = "the request body is too large"


class UnsupportedMediaType(BreakwaterError):
    """The body's content type is not the one that is read here."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    default = "the content type must be application/json"


class TooManyRequests(BreakwaterError):
    """The caller has to wait."""

    code = "TOO_MANY_REQUEST"
    default = "too many requests: try again later"


class NotImplementedHere(BreakwaterError):
    """The operation is part of the API's contract, and not built yet."""

    code = "NOT_IMPLEMENTED"
    default = "this operation is not implemented"


class Unavailable(BreakwaterError):
    """A part that this needs does not answer now; the same request may succeed soon."""

    code = "UNAVAILABLE"
    default = "the service is not available right now: try again in a moment"


class QueryGivenUp(Unavailable):
    """The database is there, and has given up one query that took too long."""

    default = "the database took too long over this and gave it up: try again in a moment"


class ConfigurationError(BreakwaterError):
    """A setting is missing or cannot be used; the sentence names it."""

    code = "CONFIGURATION"
    default = "the configuration is not valid"
