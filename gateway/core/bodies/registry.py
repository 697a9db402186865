"""Bodies about other registries."""

from pydantic import Field

from gateway.core.reading import Body
from services.replication.domain.wanted_registry import RegistryWish
from shared.secrets import Secret


class CredentialBody(Body):
    """What a registry is told."""

    type: str = ""
    access_key: str = ""
    access_secret: str = Field(default="", repr=False)


class RegistryBody(Body):
    """A registry to be set up; `proxy`, an HTTP proxy's URL, and `concurrency` are ours."""

    name: str = ""
    description: str = ""
    type: str = ""
    url: str = ""
    credential: CredentialBody = CredentialBody()
    insecure: bool = False
    ca_certificate: str = ""
    proxy: str = Field(default="", repr=False)
    concurrency: int | None = None

    def wish(self) -> RegistryWish:
        """The registry asked for."""
        return RegistryWish(
            name=self.name,
            description=self.description,
            kind=self.type,
            url=self.url,
            access_key=self.credential.access_key,
            access_secret=Secret(self.credential.access_secret),
            insecure=self.insecure,
            ca_certificate=self.ca_certificate,
            proxy=Secret(self.proxy),
            concurrency=self.concurrency,
        )


class RegistryUpdateBody(Body):
    """What of a registry is to be changed; what is not named stays."""

    name: str | None = None
    description: str | None = None
    url: str | None = None
    credential_type: str | None = None
    access_key: str | None = None
    access_secret: str | None = Field(default=None, repr=False)
    insecure: bool | None = None
    ca_certificate: str | None = None
    proxy: str | None = Field(default=None, repr=False)
    concurrency: int | None = None

    def wish(self) -> RegistryWish:
        """The change asked for."""
        return RegistryWish(
            name=self.name,
            description=self.description,
            url=self.url,
            access_key=self.access_key,
            access_secret=_secret(self.access_secret),
            insecure=self.insecure,
            ca_certificate=self.ca_certificate,
            proxy=_secret(self.proxy),
            concurrency=self.concurrency,
        )


class RegistryPingBody(Body):
    """A registry to be asked whether it answers: a stored one with what is named here, or one that is not stored."""

    id: int | None = None
    type: str | None = None
    url: str | None = None
    credential_type: str | None = None
    access_key: str | None = None
    access_secret: str | None = Field(default=None, repr=False)
    insecure: bool | None = None
    ca_certificate: str | None = None
    proxy: str | None = Field(default=None, repr=False)

    def wish(self) -> RegistryWish:
        """What is to be tried."""
        return RegistryWish(
            kind=self.type,
            url=self.url,
            access_key=self.access_key,
            access_secret=_secret(self.access_secret),
            insecure=self.insecure,
            ca_certificate=self.ca_certificate,
            proxy=_secret(self.proxy),
        )


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)
