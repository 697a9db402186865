"""What the webhook service refuses."""

from shared.errors import BadRequest, Conflict, NotFound, PreconditionFailed


class Malformed(BadRequest):
    """A notification that will never be accepted, whoever sends it how often."""

    code = "MALFORMED_NOTIFICATION"
    default = "the notification is malformed"


class UnknownParked(NotFound):
    """No parked notification has this id."""

    default = "no parked notification has this id"


class StillMalformed(Conflict):
    """A parked notification was tried again, and is what it was."""

    default = "the notification still cannot be accepted"


class NoSuchPolicy(NotFound):
    """The project has no webhook policy of this number."""

    default = "the webhook policy does not exist"


class NoSuchDelivery(NotFound):
    """The policy has no delivery of this number, or the delivery no such attempt."""

    default = "the execution or task does not exist"


class PolicyExists(Conflict):
    """Another policy of the project has this name."""

    default = "a webhook policy of this name exists already"


class PolicyDisabled(PreconditionFailed):
    """Nothing is sent for a policy that is disabled."""

    default = "the webhook policy is disabled: enable it first"


class UnfitPolicy(BadRequest):
    """A field of a webhook policy breaks its rule."""

    default = "the webhook policy is not valid"
