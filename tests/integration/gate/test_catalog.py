"""_catalog with a token: open to whom the catalog of all was granted, and to nobody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from services.token.domain import Access
from tests.clients.images import make_image
from tests.integration.gate.conftest import Reader
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher, Tokens


def bearer(tokens: Tokens, *access: Access, minutes: int = 5) -> str:
    issuer = tokens.issuer(lifetime=timedelta(minutes=minutes))
    return f"Bearer {issuer.issue('admin', access, datetime.now(UTC)).token}"


ALL = Access(type="registry", name="catalog", actions=("*",))


def test_a_token_of_the_catalog_lists_every_repository_with_something_in_it(
    app: str, pusher: Pusher, reader: Reader, tokens: Tokens, catalogue: Catalogue
) -> None:
    catalogue.add_project(hidden := app.replace("library/", ""))
    for name in (app, f"{hidden}/app"):
        pusher.push(name, "v1", make_image(name))
        catalogue.observe(name, "v1")
    answer = reader.ask("/v2/_catalog", authorization=bearer(tokens, ALL))
    assert answer.status == 200
    found = json.loads(answer.body)["repositories"]
    assert {app, f"{hidden}/app"} <= set(found)
    assert found == sorted(found)


@pytest.mark.parametrize(
    "access",
    [
        (),
        (Access(type="registry", name="catalog", actions=()),),
        (Access(type="registry", name="catalog", actions=("pull",)),),
        (Access(type="repository", name="catalog", actions=("*",)),),
        (Access(type="registry", name="*", actions=("*",)),),
    ],
    ids=["nothing", "denied", "another action", "a repository of that name", "another name"],
)
def test_any_other_token_is_told_what_is_missing(reader: Reader, tokens: Tokens, access: tuple[Access, ...]) -> None:
    answer = reader.ask("/v2/_catalog", authorization=bearer(tokens, *access))
    assert answer.status == 401
    assert 'scope="registry:catalog:*"' in answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert json.loads(answer.body)["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_token_that_is_none_or_over_is_not_believed(reader: Reader, tokens: Tokens) -> None:
    for authorization in ("Bearer x.y.z", bearer(tokens, ALL, minutes=-5)):
        answer = reader.ask("/v2/_catalog", authorization=authorization)
        assert answer.status == 401
        assert 'scope="registry:catalog:*"' in answer.headers["www-authenticate"]
