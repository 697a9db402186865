"""What a policy means of what a registry holds."""

from datetime import UTC, datetime

import pytest

from services.replication.domain.policy import Filter, FilterKind, Policy, ResourceKind

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def policy(*filters: Filter) -> Policy:
    return Policy(id=1, name="p", target_id=1, filters=filters, created_at=NOW, updated_at=NOW)


def only(kind: FilterKind, *values: str, excludes: bool = False) -> Policy:
    return policy(Filter(kind=kind, values=values, excludes=excludes))


@pytest.mark.parametrize(
    ("pattern", "repository", "meant"),
    [
        ("library/**", "library/a/b", True),
        ("library/*", "library/a/b", False),
        ("{one,two}/app", "two/app", True),
        ("library/a", "library/ab", False),
    ],
)
def test_a_name_is_matched_as_a_whole(pattern: str, repository: str, *, meant: bool) -> None:
    assert only(FilterKind.NAME, pattern).takes_repository(repository) is meant


def test_a_filter_without_values_lets_everything_through() -> None:
    assert only(FilterKind.NAME).takes_repository("any/thing")
    assert only(FilterKind.TAG).takes_tag("v1")
    assert only(FilterKind.LABEL).takes(ResourceKind.IMAGE, ())


def test_tags_are_taken_or_left_out_by_their_pattern() -> None:
    assert only(FilterKind.TAG, "v*").takes_tag("v1")
    assert not only(FilterKind.TAG, "v*").takes_tag("latest")
    assert not only(FilterKind.TAG, "v*", excludes=True).takes_tag("v1")
    assert only(FilterKind.TAG, "v*", excludes=True).takes_tag("latest")


def test_all_labels_that_are_named_are_needed() -> None:
    wanted = only(FilterKind.LABEL, "signed", "tested")
    assert wanted.takes(ResourceKind.IMAGE, ("tested", "signed", "old"))
    assert not wanted.takes(ResourceKind.IMAGE, ("signed",))
    left_out = only(FilterKind.LABEL, "old", excludes=True)
    assert left_out.takes(ResourceKind.IMAGE, ())
    assert not left_out.takes(ResourceKind.IMAGE, ("old",))


def test_a_type_of_resource_is_taken_alone() -> None:
    assert only(FilterKind.RESOURCE, "artifact").takes(ResourceKind.ARTIFACT, ())
    assert not only(FilterKind.RESOURCE, "artifact").takes(ResourceKind.IMAGE, ())


def test_an_artifact_has_to_fit_all_filters() -> None:
    both = policy(
        Filter(kind=FilterKind.NAME, values=("a/**",)), Filter(kind=FilterKind.NAME, values=("**/b",))
    )
    assert both.takes_repository("a/b")
    assert not both.takes_repository("a/c")
