"""What a client asks of a replication policy, and the rules for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.replication.domain.mapping import WHOLE
from services.replication.domain.policy import Filter, FilterKind, ResourceKind, Trigger
from services.replication.domain.registry import RegistryKind
from services.replication.errors import UnfitPolicy
from shared.cron import Cron
from shared.errors import BadRequest
from shared.names import InvalidName, RepositoryName
from shared.selector import MAX_PATTERN, check_pattern, literal_prefix_of

MATCHES: Final = "matches"
EXCLUDES: Final = "excludes"
MOST_FILTERS: Final = 20

_LONGEST_NAME: Final = 256
_LONGEST_TEXT: Final = 1_024
_MOST_LABELS: Final = 50
_MOST_COMPONENTS: Final = 127
_FASTEST: Final = 2**31 - 1
_MOST_AT_ONCE: Final = 64
_MINUTES: Final = 60
_DECORATED: Final = frozenset({FilterKind.TAG, FilterKind.LABEL})
_WITH_LABELS: Final = frozenset({RegistryKind.HARBOR})


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedFilter:
    """A filter as a client asks for it."""

    kind: str
    value: str | Sequence[str] = ""
    decoration: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedPolicy:
    """A policy as a client asks for it."""

    name: str
    description: str = ""
    source: int = 0
    """The registry it copies from; 0: this one."""
    target: int = 0
    """The registry it copies to; 0: this one."""
    namespace: str = ""
    replace_count: int = WHOLE
    filters: tuple[WantedFilter, ...] = ()
    trigger: str = Trigger.MANUAL
    cron: str = ""
    deletion: bool = False
    override: bool = False
    enabled: bool = False
    speed: int = 0
    copy_by_chunk: bool = False
    copy_labels: bool = False
    copy_retention: bool = False
    single_active: bool = False
    concurrency: int = 16


def check_name(name: str) -> str:
    """The name, trimmed. Raises UnfitPolicy."""
    trimmed = name.strip()
    if not 0 < len(trimmed) <= _LONGEST_NAME or not trimmed.isprintable():
        raise UnfitPolicy(f"the name of a replication policy has 1 to {_LONGEST_NAME} characters")
    return trimmed


def check_description(text: str) -> str:
    """The description. Raises UnfitPolicy."""
    if len(text) > _LONGEST_TEXT:
        raise UnfitPolicy(f"the description of a replication policy has at most {_LONGEST_TEXT} characters")
    return text


def check_sides(source: int, target: int) -> tuple[int | None, int | None]:
    """The registries copied from and to, None for this one. Raises UnfitPolicy where not exactly one is another."""
    if source < 0 or target < 0 or (source == 0) is (target == 0):
        raise UnfitPolicy("either src_registry or dest_registry must be another registry, and one of them alone")
    return source or None, target or None


def check_namespace(namespace: str, replace_count: int) -> tuple[str, int]:
    """Where repositories go. Raises UnfitPolicy."""
    if namespace:
        try:
            RepositoryName.parse(f"{namespace}/x")
        except InvalidName as error:
            raise UnfitPolicy(f"dest_namespace {namespace[:80]!r} cannot begin the name of a repository") from error
    if not WHOLE <= replace_count <= _MOST_COMPONENTS:
        raise UnfitPolicy(f"dest_namespace_replace_count is -1, or a number from 0 to {_MOST_COMPONENTS}")
    return namespace, replace_count


def check_filters(filters: Sequence[WantedFilter]) -> tuple[Filter, ...]:
    """The filters. Raises UnfitPolicy."""
    if len(filters) > MOST_FILTERS:
        raise UnfitPolicy(f"a replication policy has at most {MOST_FILTERS} filters")
    return tuple(_filter(each) for each in filters)


def knows_labels(kind: RegistryKind) -> bool:
    """Whether a registry of this kind can tell the labels of its artifacts."""
    return kind in _WITH_LABELS


def check_source(filters: Sequence[Filter], source: RegistryKind | None) -> None:
    """Raises UnfitPolicy where a filter asks for what the source cannot tell; None is this registry."""
    asks_for_labels = any(each.kind is FilterKind.LABEL and each.values for each in filters)
    if asks_for_labels and source is not None and not knows_labels(source):
        raise UnfitPolicy(f"a registry of type {source} knows no labels to filter by")


def check_labels(target: RegistryKind | None) -> None:
    """Raises UnfitPolicy where labels cannot be taken along; None is this registry."""
    if target is None:
        raise UnfitPolicy("copy_labels is for policies that copy from this registry to another one")
    if not knows_labels(target):
        raise UnfitPolicy(f"a registry of type {target} knows no labels: copy_labels is for those of type harbor")


def check_retention(
    target: RegistryKind | None, namespace: str, replace_count: int, filters: Sequence[Filter]
) -> None:
    """Raises UnfitPolicy where projects' retention cannot be taken along; None is this registry.

    Rules name repositories within their project. Where these are called otherwise at the target, or come there from
    several projects, the same rules would delete something else.
    """
    if target is None:
        raise UnfitPolicy("copy_retention is for policies that copy from this registry to another one")
    if target not in _WITH_LABELS:
        raise UnfitPolicy(f"a registry of type {target} knows no retention: copy_retention is for those of type harbor")
    if not namespace:
        return
    names = [each.values[0] for each in filters if each.kind is FilterKind.NAME and each.values]
    one_project = any("/" in literal_prefix_of(pattern) for pattern in names)
    if "/" in namespace or replace_count != 1 or not one_project:
        raise UnfitPolicy(
            "copy_retention goes with a dest_namespace only where that takes the place of one project's name: of a"
            " single component, with dest_namespace_replace_count 1, and a name filter that begins with the project"
        )


def check_trigger(kind: str, cron: str, *, source: int | None, single_active: bool) -> tuple[Trigger, str]:
    """What begins executions, and when; the cron is empty where no schedule does. Raises UnfitPolicy."""
    if kind not in set(Trigger):
        raise UnfitPolicy(f"the type of trigger must be one of {', '.join(Trigger)}")
    trigger = Trigger(kind)
    if trigger is Trigger.EVENT_BASED and source is not None:
        raise UnfitPolicy("a policy follows events only where it copies from this registry")
    if trigger is Trigger.EVENT_BASED and single_active:
        raise UnfitPolicy("single_active_replication does not go with event_based: events would be passed over")
    return trigger, _cron(cron) if trigger is Trigger.SCHEDULED else ""


def check_speed(speed: int) -> int:
    """KiB a second; 0, and all below, is as fast as it goes. Raises UnfitPolicy."""
    if speed > _FASTEST:
        raise UnfitPolicy(f"speed is at most {_FASTEST} KiB a second")
    return max(speed, 0)


def check_concurrency(number: int) -> int:
    """How many artifacts at once. Raises UnfitPolicy."""
    if not 1 <= number <= _MOST_AT_ONCE:
        raise UnfitPolicy(f"concurrency is a number from 1 to {_MOST_AT_ONCE}")
    return number


def _filter(wanted: WantedFilter) -> Filter:
    if wanted.kind not in set(FilterKind):
        raise UnfitPolicy(f"the type of a filter must be one of {', '.join(FilterKind)}")
    kind = FilterKind(wanted.kind)
    if kind in _DECORATED:
        if wanted.decoration not in {"", MATCHES, EXCLUDES}:
            raise UnfitPolicy(f"the decoration of a filter is {MATCHES} or {EXCLUDES}")
    elif wanted.decoration:
        raise UnfitPolicy("only filters of tags and labels have a decoration")
    values = _labels(wanted.value) if kind is FilterKind.LABEL else _pattern(kind, wanted.value)
    return Filter(
        kind=kind, values=values, excludes=wanted.decoration == EXCLUDES, decorated=bool(wanted.decoration)
    )


def _labels(value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UnfitPolicy("the value of a label filter is a list of labels' names")
    if len(value) > _MOST_LABELS or not all(0 < len(each) <= MAX_PATTERN for each in value):
        raise UnfitPolicy(f"a label filter names at most {_MOST_LABELS} labels, each of 1 to {MAX_PATTERN} characters")
    return tuple(dict.fromkeys(value))


def _pattern(kind: FilterKind, value: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(value, str):
        raise UnfitPolicy(f"the value of a {kind} filter is a text")
    if not value:
        return ()
    if kind is FilterKind.RESOURCE:
        if value not in set(ResourceKind):
            raise UnfitPolicy(f"the value of a resource filter must be one of {', '.join(ResourceKind)}")
        return (value,)
    try:
        check_pattern(value, f"a {kind} filter")
    except BadRequest as error:
        raise UnfitPolicy(error.sentence) from error
    return (value,)


def _cron(text: str) -> str:
    try:
        cron = Cron.parse(text)
    except BadRequest as error:
        raise UnfitPolicy(error.sentence) from error
    seconds, minutes, *_ = cron.fields
    if seconds != {0} or len(minutes) == _MINUTES:
        raise UnfitPolicy("of a policy's cron the first field must be 0, and the minutes cannot be *")
    return cron.text
