"""Where a repository goes."""

import pytest

from services.replication.domain.mapping import target_of
from services.replication.errors import UnfitPolicy


@pytest.mark.parametrize(
    ("count", "target"), [(-1, "n/img"), (0, "n/a/b/c/img"), (1, "n/b/c/img"), (2, "n/c/img"), (3, "n/img")]
)
def test_a_namespace_replaces_so_many_components(count: int, target: str) -> None:
    assert target_of("a/b/c/img", "n", count) == target


def test_without_a_namespace_the_name_stays() -> None:
    assert target_of("a/b/img", "", 2) == "a/b/img"


def test_a_name_of_one_component_gets_the_namespace() -> None:
    assert target_of("img", "n", -1) == "n/img"
    assert target_of("img", "n", 0) == "n/img"


def test_more_components_than_there_are_cannot_be_replaced() -> None:
    with pytest.raises(UnfitPolicy, match="3 components of a/b/img cannot be replaced: it has 2 before the last"):
        target_of("a/b/img", "n", 3)
