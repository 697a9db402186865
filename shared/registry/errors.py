"""What can go wrong between a service and the registry."""

from shared.errors import BreakwaterError, Unavailable


class RegistryUnavailable(Unavailable):
    """The registry, or the token mount on the way to it, does not answer."""

    default = "the registry is not available right now: try again in a moment"


class RegistryRefused(BreakwaterError):
    """The registry answered something that no request of ours should get."""

    code = "REGISTRY_REFUSED"
    default = "the registry refused the request"


class UnreadableManifest(BreakwaterError):
    """A manifest or configuration that is no JSON of a known form, or larger than what is read."""

    code = "MANIFEST_INVALID"
    default = "the manifest cannot be read"
