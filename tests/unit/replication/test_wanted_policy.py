"""What a replication policy may be asked to be."""

from __future__ import annotations

from typing import Any

import pytest

from services.replication.domain.policy import Filter, FilterKind, Trigger
from services.replication.domain.registry import RegistryKind
from services.replication.domain.wanted_policy import (
    WantedFilter,
    check_concurrency,
    check_description,
    check_filters,
    check_name,
    check_namespace,
    check_retention,
    check_sides,
    check_source,
    check_speed,
    check_trigger,
)
from services.replication.errors import UnfitPolicy


def test_exactly_one_side_is_another_registry() -> None:
    assert check_sides(3, 0) == (3, None)
    assert check_sides(0, 4) == (None, 4)


@pytest.mark.parametrize(("source", "target"), [(0, 0), (1, 2), (1, 1), (-1, 0), (0, -1), (-1, 1)])
def test_any_other_number_of_sides_is_refused(source: int, target: int) -> None:
    with pytest.raises(UnfitPolicy):
        check_sides(source, target)


@pytest.mark.parametrize("namespace", ["", "n", "n/m", "a-b.c__d/e"])
@pytest.mark.parametrize("count", [-1, 0, 1, 127])
def test_a_namespace_is_the_beginning_of_a_name(namespace: str, count: int) -> None:
    assert check_namespace(namespace, count) == (namespace, count)


@pytest.mark.parametrize(
    ("namespace", "count"),
    [("UPPER", -1), ("/n", -1), ("n/", -1), ("n//m", -1), (".n", 0), ("n" * 254, 0), ("n:m", 0), ("n", -2), ("n", 128)],
)
def test_an_unfit_namespace_is_refused(namespace: str, count: int) -> None:
    with pytest.raises(UnfitPolicy):
        check_namespace(namespace, count)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (WantedFilter(kind="name", value="library/**"), Filter(kind=FilterKind.NAME, values=("library/**",))),
        (WantedFilter(kind="name"), Filter(kind=FilterKind.NAME, values=())),
        (WantedFilter(kind="tag", value="v{1,2}*"), Filter(kind=FilterKind.TAG, values=("v{1,2}*",))),
        (
            WantedFilter(kind="tag", value="dev-*", decoration="excludes"),
            Filter(kind=FilterKind.TAG, values=("dev-*",), excludes=True, decorated=True),
        ),
        (
            WantedFilter(kind="tag", value="v*", decoration="matches"),
            Filter(kind=FilterKind.TAG, values=("v*",), decorated=True),
        ),
        (WantedFilter(kind="label", value=["a", "b", "a"]), Filter(kind=FilterKind.LABEL, values=("a", "b"))),
        (WantedFilter(kind="label", value=[]), Filter(kind=FilterKind.LABEL, values=())),
        (WantedFilter(kind="resource", value="image"), Filter(kind=FilterKind.RESOURCE, values=("image",))),
        (WantedFilter(kind="resource", value=""), Filter(kind=FilterKind.RESOURCE, values=())),
    ],
)
def test_a_filter_is_read(wanted: WantedFilter, found: Filter) -> None:
    assert check_filters([wanted]) == (found,)


@pytest.mark.parametrize(
    "wanted",
    [
        WantedFilter(kind="digest", value="x"),
        WantedFilter(kind="name", value=["a"]),
        WantedFilter(kind="name", value="a", decoration="matches"),
        WantedFilter(kind="name", value="a" * 256),
        WantedFilter(kind="name", value="{a,b}" * 10),
        WantedFilter(kind="tag", value="a", decoration="perhaps"),
        WantedFilter(kind="label", value="a"),
        WantedFilter(kind="label", value=[""]),
        WantedFilter(kind="label", value=["a"] * 51),
        WantedFilter(kind="resource", value="chart"),
        WantedFilter(kind="resource", value="image", decoration="excludes"),
    ],
    ids=str,
)
def test_an_unfit_filter_is_refused(wanted: WantedFilter) -> None:
    with pytest.raises(UnfitPolicy):
        check_filters([wanted])


def test_filters_have_a_number() -> None:
    assert len(check_filters([WantedFilter(kind="name", value="a")] * 20)) == 20
    with pytest.raises(UnfitPolicy):
        check_filters([WantedFilter(kind="name", value="a")] * 21)


def test_labels_are_asked_of_those_that_know_them() -> None:
    labels = (Filter(kind=FilterKind.LABEL, values=("a",)),)
    check_source(labels, None)
    check_source(labels, RegistryKind.HARBOR)
    check_source((Filter(kind=FilterKind.LABEL, values=()),), RegistryKind.QUAY)
    with pytest.raises(UnfitPolicy):
        check_source(labels, RegistryKind.QUAY)


def trigger(kind: str, cron: str = "", **more: Any) -> tuple[Trigger, str]:  # noqa: ANN401 - as the test says
    return check_trigger(kind, cron, **({"source": None, "single_active": False} | more))


@pytest.mark.parametrize("cron", ["0 0 2 * * *", "0 */5 * * * *", " 0  30 2 * * mon "])
def test_a_schedule_is_read(cron: str) -> None:
    assert trigger("scheduled", cron) == (Trigger.SCHEDULED, " ".join(cron.split()))


@pytest.mark.parametrize(
    "cron",
    ["", "0 2 * * *", "* 0 2 * * *", "5 0 2 * * *", "0-1 0 2 * * *", "0 * * * * *", "0 ? * * * *", "0 */1 * * * *",
     "0 0 0 30 2 *", "@daily"],
)  # fmt: skip
def test_a_schedule_that_is_none_or_comes_each_minute_is_refused(cron: str) -> None:
    with pytest.raises(UnfitPolicy):
        trigger("scheduled", cron)


def test_only_a_schedule_has_a_cron() -> None:
    assert trigger("manual", "0 0 2 * * *") == (Trigger.MANUAL, "")
    assert trigger("event_based", "nonsense") == (Trigger.EVENT_BASED, "")


def test_events_are_followed_from_here_and_each_of_them() -> None:
    with pytest.raises(UnfitPolicy):
        trigger("event_based", source=1)
    with pytest.raises(UnfitPolicy):
        trigger("event_based", single_active=True)
    with pytest.raises(UnfitPolicy):
        trigger("sometimes")
    assert trigger("manual", source=1, single_active=True) == (Trigger.MANUAL, "")


@pytest.mark.parametrize(("speed", "kept"), [(0, 0), (-1, 0), (-(2**70), 0), (500, 500), (2**31 - 1, 2**31 - 1)])
def test_a_speed_below_nothing_is_no_limit(speed: int, kept: int) -> None:
    assert check_speed(speed) == kept


def test_what_no_column_holds_is_refused() -> None:
    with pytest.raises(UnfitPolicy):
        check_speed(2**31)
    for number in (0, -1, 65):
        with pytest.raises(UnfitPolicy):
            check_concurrency(number)
    assert check_concurrency(64) == 64


@pytest.mark.parametrize("name", ["", " ", "n" * 257, "a\tb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnfitPolicy):
        check_name(name)
    assert check_name(" n ") == "n"


def test_a_description_has_a_limit() -> None:
    assert check_description("d" * 1024)
    with pytest.raises(UnfitPolicy):
        check_description("d" * 1025)


def named(*patterns: str) -> tuple[Filter, ...]:
    return tuple(Filter(kind=FilterKind.NAME, values=(pattern,)) for pattern in patterns)


@pytest.mark.parametrize(
    ("namespace", "count", "filters"),
    [
        ("", -1, ()), ("", 1, named("**")), ("copies", 1, named("library/**")), ("copies", 1, named("**", "a/b")),
    ],
)  # fmt: skip
def test_retention_goes_where_repositories_keep_their_names_within_one_project(
    namespace: str, count: int, filters: tuple[Filter, ...]
) -> None:
    check_retention(RegistryKind.HARBOR, namespace, count, filters)


@pytest.mark.parametrize(
    ("kind", "namespace", "count", "filters", "named_in"),
    [
        (None, "", -1, (), "from this registry"),
        (RegistryKind.DOCKER_REGISTRY, "", -1, (), "knows no retention"),
        (RegistryKind.HARBOR, "copies", -1, named("library/**"), "dest_namespace"),
        (RegistryKind.HARBOR, "copies", 0, named("library/**"), "dest_namespace"),
        (RegistryKind.HARBOR, "copies", 2, named("library/**"), "dest_namespace"),
        (RegistryKind.HARBOR, "copies/of", 1, named("library/**"), "dest_namespace"),
        (RegistryKind.HARBOR, "copies", 1, (), "dest_namespace"),
        (RegistryKind.HARBOR, "copies", 1, named("{a,b}/**"), "dest_namespace"),
        (RegistryKind.HARBOR, "copies", 1, named("lib*/**"), "dest_namespace"),
    ],
)
def test_where_its_rules_would_mean_something_else_it_is_refused(
    kind: RegistryKind | None, namespace: str, count: int, filters: tuple[Filter, ...], named_in: str
) -> None:
    with pytest.raises(UnfitPolicy, match=named_in):
        check_retention(kind, namespace, count, filters)
