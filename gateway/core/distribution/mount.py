"""Puts the registry's lists on the app."""

from pathlib import Path

import falcon

from gateway.core.catalogue import Catalogue
from gateway.core.distribution import referrers, tags
from gateway.core.distribution.catalog import Catalog
from gateway.core.distribution.referrers import ReferrerList
from gateway.core.distribution.registry import ClientsRegistry
from gateway.core.distribution.tags import TagList
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.sign_in import SignIn
from shared.auth.bearer import Verifier
from shared.metrics.tally import Tally


def mount_lists(
    app: falcon.App[ApiRequest, ApiResponse],
    *,
    catalogue: Catalogue,
    sign_in: SignIn,
    verifier: Verifier,
    registry: Path,
    tally: Tally,
) -> None:
    """Let the app answer _catalog, tags/list and referrers; `registry` is the registry's socket."""
    asked = ClientsRegistry(registry, tally)
    app.add_route("/v2/_catalog", Catalog(sign_in, verifier, asked))
    app.add_sink(TagList(asked), tags.ROUTE)
    app.add_sink(ReferrerList(catalogue, verifier, asked), referrers.ROUTE)
