"""tags/list through the core mount: the registry's list, in order, in pages, for whom the registry lets read it."""

from __future__ import annotations

import json
import re

import pytest

from tests.clients.images import make_image
from tests.integration.conftest import Database
from tests.integration.gate.conftest import Reader
from tests.integration.registry_rig import Answer, Pusher, RegistryServer

NAMES = ["1.0", "Latest", "_x", "latest", "v1", "v10", "v2"]
"""As bytes order them."""


@pytest.fixture
def tagged(app: str, pusher: Pusher) -> str:
    image = make_image(app, layers=0)
    for tag in sorted(NAMES, key=str.lower):
        pusher.push(app, tag, image)
    return app


def listed(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    found: list[str] = json.loads(answer.body)["tags"]
    return found


def test_all_tags_come_in_order_the_moment_they_are_pushed(tagged: str, reader: Reader) -> None:
    answer = reader.tags(tagged)
    assert json.loads(answer.body) == {"name": tagged, "tags": NAMES}
    assert answer.headers["content-type"].startswith("application/json")
    assert "link" not in answer.headers


@pytest.mark.parametrize("n", [1, 3, 6, 7, 1000])
def test_links_lead_through_all_of_it(tagged: str, reader: Reader, n: int) -> None:
    found, query = [], f"?n={n}"
    while True:
        answer = reader.tags(tagged, query)
        page = listed(answer)
        assert len(page) <= n
        found += page
        if "link" not in answer.headers:
            break
        link = re.fullmatch(rf'</v2/{tagged}/tags/list(\?[^>]*)>; rel="next"', answer.headers["link"])
        assert link
        query = link[1]
    assert found == NAMES


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?last=latest", ["v1", "v10", "v2"]),
        ("?last=m", ["v1", "v10", "v2"]),
        ("?n=1&last=v1", ["v10"]),
        ("?last=zz", []),
        ("?n=0", []),
        ("?n=0&last=v1", []),
    ],
)
def test_a_list_begins_behind_any_name(tagged: str, reader: Reader, query: str, expected: list[str]) -> None:
    assert listed(reader.tags(tagged, query)) == expected


@pytest.mark.parametrize("n", ["-1", "x", "1.5", "", "9" * 30, "1%00", "%D9%A3"])
def test_a_bad_n_is_a_400_in_the_shape(tagged: str, reader: Reader, n: str) -> None:
    answer = reader.tags(tagged, f"?n={n}")
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0]["code"] in {"PAGINATION_NUMBER_INVALID", "UNSUPPORTED"}


def test_a_tag_that_was_deleted_is_listed_no_more(tagged: str, reader: Reader, pusher: Pusher) -> None:
    assert pusher.delete(tagged, "v10").status == 202
    assert listed(reader.tags(tagged)) == [name for name in NAMES if name != "v10"]


def test_a_repository_without_tags_is_unknown_as_distribution_has_it(app: str, reader: Reader) -> None:
    answer = reader.tags(app)
    assert answer.status == 404
    assert json.loads(answer.body)["errors"][0] == {
        "code": "NAME_UNKNOWN",
        "message": "repository name not known to registry",
        "detail": {"name": app},
    }


@pytest.mark.parametrize("authorization", [None, "Bearer not.a.token"])
def test_without_a_token_the_registry_gives_its_challenge(
    tagged: str, reader: Reader, authorization: str | None
) -> None:
    answer = reader.ask(f"/v2/{tagged}/tags/list", authorization=authorization)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert f'scope="repository:{tagged}:pull"' in answer.headers["www-authenticate"]
    assert json.loads(answer.body)["errors"][0]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("scope", [{"library/other": "pull"}, {}, {"library": "pull"}])
def test_a_token_of_something_else_opens_no_list(tagged: str, reader: Reader, scope: dict[str, str]) -> None:
    answer = reader.ask(f"/v2/{tagged}/tags/list", scope)
    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_list_is_only_read(tagged: str, reader: Reader) -> None:
    assert reader.ask(f"/v2/{tagged}/tags/list", {tagged: "pull,push,delete"}, method="DELETE").status == 405
    head = reader.ask(f"/v2/{tagged}/tags/list", {tagged: "pull"}, method="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_list_needs_no_database(tagged: str, reader: Reader, database: Database) -> None:
    with database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,)
        )
        answer = reader.tags(tagged)
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())
    assert listed(answer) == NAMES


def test_a_registry_that_is_away_is_a_503(tagged: str, reader: Reader, registry: RegistryServer) -> None:
    registry.kill()
    answer = reader.tags(tagged)
    registry.start()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert listed(reader.tags(tagged)) == NAMES
