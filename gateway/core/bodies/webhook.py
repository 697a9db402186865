"""Bodies about webhook policies."""

from pydantic import Field

from gateway.core.reading import Body
from services.webhook.domain.policy import MASK, WantedPolicy, WantedTarget
from shared.secrets import Secret


class TargetBody(Body):
    """A target; `secret` is ours: what its deliveries are signed with, left as it is where it is not given."""

    type: str = ""
    address: str = ""
    auth_header: str = Field(default="", repr=False)
    skip_cert_verify: bool = False
    payload_format: str = ""
    secret: str = Field(default=MASK, repr=False)

    def wanted(self) -> WantedTarget:
        """The target asked for."""
        return WantedTarget(
            kind=self.type,
            address=self.address,
            payload_format=self.payload_format,
            skip_cert_verify=self.skip_cert_verify,
            auth_header=_unmasked(self.auth_header),
            signing_secret=_unmasked(self.secret),
        )


class PolicyBody(Body):
    """A policy as it shall be: what is not named is empty or false, as Harbor has it."""

    name: str = ""
    description: str = ""
    targets: list[TargetBody] = Field(default=[], max_length=100)
    event_types: list[str] = Field(default=[], max_length=100)
    enabled: bool = False

    def wanted(self) -> WantedPolicy:
        """The policy asked for."""
        return WantedPolicy(
            name=self.name,
            description=self.description,
            targets=tuple(target.wanted() for target in self.targets),
            event_types=tuple(self.event_types),
            enabled=self.enabled,
        )


def _unmasked(text: str) -> Secret | None:
    return None if text == MASK else Secret(text)
