"""A large repository is deleted part by part: what is done so far is told, and it can be stopped and gone on with."""

from __future__ import annotations

from itertools import count

import pytest

from gateway.portal.pages.repository_deletion import AT_ONCE
from tests.clients.images import make_index
from tests.integration.core.people import ADMIN
from tests.integration.portal.browsing import Reading
from tests.integration.portal.stock import Stock, person, says

_HELD = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "held"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
_numbers = count(1)


@pytest.fixture
def large(stock: Stock) -> tuple[str, str]:
    """A repository of two parts and one artifact more, and the page that deletes it."""
    project = stock.api.project()
    stock.image(f"{project}/big", "held")
    for number in range(2 * AT_ONCE):
        stock.image(f"{project}/big", f"v{number}")
    return f"{project}/big", f"/projects/{project}/delete-repository/big"


def told(stock: Stock, repository: str) -> int:
    """How often it was told that a repository is deleted."""
    events = stock.api.events("repository.deleted")
    return sum(event["data"]["repository"] == repository for event in events)


def test_each_part_tells_how_far_it_is_and_the_last_one_ends_the_repository(
    stock: Stock, large: tuple[str, str]
) -> None:
    repository, path = large
    admin, total = person(stock, ADMIN), 2 * AT_ONCE + 1
    shown = admin.post(path, {"name": "big"})
    assert f"Preparing to delete {total} artifacts" in says(shown)
    assert len(stock.held(repository)) == total
    for done in (AT_ONCE, 2 * AT_ONCE):
        shown = admin.post(path, Reading(shown.text).values())
        assert f"{done} of {total} artifacts are deleted" in says(shown)
        assert len(stock.held(repository)) == total - done
        assert told(stock, repository) == 0
    ended = admin.post(path, Reading(shown.text).values())
    assert "Repository big is deleted." in says(ended)
    project = repository.partition("/")[0]
    assert stock.api.get(f"/projects/{project}/repositories/big").status_code == 404
    assert told(stock, repository) == 1


def test_it_is_stopped_and_gone_on_with(stock: Stock, large: tuple[str, str]) -> None:
    repository, path = large
    admin = person(stock, ADMIN)
    shown = admin.post(path, {"name": "big"})
    shown = admin.post(path, Reading(shown.text).values())
    stopped = admin.post(path, Reading(shown.text).values() | {"stop": "yes"})
    assert f"{AT_ONCE} artifacts are deleted, {AT_ONCE + 1} artifacts are left." in says(stopped)
    assert 'hx-trigger="submit"' in stopped.text
    assert len(stock.held(repository)) == AT_ONCE + 1
    admin.post(path, Reading(stopped.text).values())
    assert len(stock.held(repository)) == 1


def test_no_part_goes_without_the_name(stock: Stock, large: tuple[str, str]) -> None:
    repository, path = large
    refused = person(stock, ADMIN).post(path, {"total": str(2 * AT_ONCE + 1), "name": "small"})
    assert refused.status_code == 422
    assert "nothing is deleted" in says(refused)
    assert len(stock.held(repository)) == 2 * AT_ONCE + 1


def test_what_cannot_be_deleted_ends_it_with_the_reason(stock: Stock, large: tuple[str, str]) -> None:
    repository, path = large
    admin, project = person(stock, ADMIN), repository.partition("/")[0]
    shown = admin.post(path, {"name": "big"})
    stock.api.made(f"/projects/{project}/immutabletagrules", _HELD)
    for _ in range(2):
        shown = admin.post(path, Reading(shown.text).values())
        assert shown.status_code == 200
    while shown.status_code == 200:
        shown = admin.post(path, Reading(shown.text).values())
    assert shown.status_code == 412
    assert "Could not finish deleting big" in says(shown)
    assert f"{2 * AT_ONCE} artifacts are deleted, 1 artifact is left." in says(shown)
    assert list(stock.held(repository).values()) == [{"held"}]


def test_an_index_goes_with_what_it_holds(stock: Stock) -> None:
    project = stock.api.project()
    for number in range(AT_ONCE // 2):
        stock.push(f"{project}/big", f"v{number}", make_index(f"index {next(_numbers)}"))
    admin, path = person(stock, ADMIN), f"/projects/{project}/delete-repository/big"
    total = len(stock.held(f"{project}/big"))
    assert total > AT_ONCE
    shown = admin.post(path, {"name": "big"})
    assert f"Preparing to delete {total} artifacts" in says(shown)
    assert "Repository big is deleted." in says(admin.post(path, Reading(shown.text).values()))
    assert stock.api.get(f"/projects/{project}/repositories/big").status_code == 404
