"""What the webhook service refuses."""

from shared.errors import BadRequest, Conflict, NotFound


class Malformed(BadRequest):
    """A notification that will never be accepted, whoever sends it how often."""

    code = "MALFORMED_NOTIFICATION"
    default = "the notification is malformed"


class UnknownParked(NotFound):
    """No parked notification has this id."""

    default = "no parked notification has this id"


class StillMalformed(Conflict):
    """A parked notification was tried again, and is what it was."""

    code = "STILL_MALFORMED"
    default = "the notification still cannot be accepted"
