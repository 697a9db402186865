"""GET /v2/<name>/referrers/<digest>: what is about a manifest, such as its signatures.

Specification: OCI distribution 1.1. distribution has no such list; the catalogue keeps it. An unknown subject has an
empty list, never a 404: that would send clients back to the tag schema.
"""

import json
import re
from typing import Any, Final

from gateway.core.catalogue import Catalogue
from gateway.core.distribution.paging import link_next
from gateway.core.distribution.registry import ClientsRegistry
from gateway.core.request import ApiRequest, ApiResponse
from services.api.domain.referrer import Referrer
from services.api.queries.referrer import list_referrers
from shared.auth.bearer import Bearer, Verifier
from shared.errors import BadRequest, MethodNotAllowed, Unauthorized
from shared.names import Digest, InvalidName, RepositoryName
from shared.registry.manifests import OCI_INDEX

ROUTE: Final = re.compile(r"/v2/(?P<name>.+)/referrers/(?P<digest>[^/]+)\Z")
_UNAUTHORIZED: Final = 401


class ReferrerList:
    """The referrers of a manifest, as an index."""

    def __init__(self, catalogue: Catalogue, verifier: Verifier, registry: ClientsRegistry) -> None:
        self._catalogue = catalogue
        self._verifier = verifier
        self._registry = registry

    def __call__(self, req: ApiRequest, resp: ApiResponse, **path: str) -> None:
        """Answer a part of the list. Raises MalformedSubject, Unauthorized, RegistryUnavailable."""
        if req.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed
        bearer = self._verifier.read(req.auth)
        if not isinstance(bearer, Bearer) or not bearer.allows("pull", path["name"]):
            self._challenge(req, resp, path["name"], with_token=isinstance(bearer, Bearer))
            return
        repository, subject = _parsed(path["name"], path["digest"])
        artifact_type = req.text("artifactType")
        found = list_referrers(
            self._catalogue.sessions,
            self._catalogue.registry,
            repository=repository,
            subject=subject,
            artifact_type=artifact_type,
            after=req.text("last"),
        )
        if artifact_type:
            resp.set_header("OCI-Filters-Applied", "artifactType")
        if found.after is not None:
            typed = {"artifactType": artifact_type} if artifact_type else {}
            link_next(req, resp, {**typed, "last": found.after})
        resp.content_type = OCI_INDEX
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_view(each) for each in found.records]}
        resp.data = json.dumps(index).encode()

    def _challenge(self, req: ApiRequest, resp: ApiResponse, name: str, *, with_token: bool) -> None:
        """Let the registry say what is missing, on a path that needs the same and that it knows."""
        said = self._registry.get(req, f"/v2/{name}/tags/list", with_token=with_token)
        if said.status != _UNAUTHORIZED:
            raise Unauthorized
        said.pass_on(resp)


class MalformedSubject(BadRequest):
    """A repository or digest that follows no grammar."""

    code = "DIGEST_INVALID"


def _parsed(name: str, digest: str) -> tuple[RepositoryName, Digest]:
    try:
        return RepositoryName.parse(name), Digest.parse(digest)
    except InvalidName as error:
        raise MalformedSubject(error.sentence) from error


def _view(referrer: Referrer) -> dict[str, Any]:
    """A descriptor."""
    told = {"artifactType": referrer.artifact_type, "annotations": dict(referrer.annotations)}
    return {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.size,
        **{field: value for field, value in told.items() if value},
    }
