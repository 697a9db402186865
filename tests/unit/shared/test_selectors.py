"""Which names a rule's patterns take in."""

import pytest

from services.api.domain.immutability import ImmutableRule
from services.api.domain.quota import crosses_warning, in_words, parse_limits
from shared.errors import BadRequest
from shared.names import RepositoryName
from shared.selector import TAG_DECORATIONS, Selector, check_pattern, check_selectors, matches


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("**", "v1", True),
        ("**", "a/b/c", True),
        ("*", "a/b", False),
        ("a/**", "a/b/c", True),
        ("app/*", "app/web", True),
        ("app/*", "app/web/api", False),
        ("v*", "v1.0", True),
        ("v*", "1.0", False),
        ("V*", "v1", False),
        ("v1.?", "v1.0", True),
        ("{a,b}", "b", True),
        ("{a}", "a", True),
        ("release-{1,2}.*", "release-2.5", True),
        ("release-{1,2}.*", "release-3.5", False),
        ("{1..3}", "2", False),
        ("[ab]x", "bx", True),
        ("v1", "v1.0", False),
        ("", "v1", False),
        ("!v1", "v2", False),
    ],
)
def test_a_pattern_is_doublestar(pattern: str, name: str, *, fits: bool) -> None:
    assert matches(pattern, name) is fits


@pytest.mark.parametrize(("decoration", "taken"), [("matches", True), ("excludes", False)])
def test_a_decoration_turns_a_pattern_round(decoration: str, *, taken: bool) -> None:
    assert Selector(decoration=decoration, pattern="v*").takes("v1") is taken
    assert Selector(decoration=decoration, pattern="v*").takes("x") is not taken


@pytest.mark.parametrize(
    "selectors",
    [
        [],
        [Selector(decoration="matches", pattern="**")] * 11,
        [Selector(decoration="repoMatches", pattern="**")],
        [Selector(decoration="matches", pattern="")],
        [Selector(decoration="matches", pattern="x" * 256)],
        [Selector(decoration="matches", pattern="**", kind="regex")],
        [Selector(decoration="matches", pattern="{a,b}" * 20)],
    ],
)
def test_what_cannot_select_is_refused(selectors: list[Selector]) -> None:
    with pytest.raises(BadRequest):
        check_selectors(selectors, TAG_DECORATIONS, "tag_selectors")


@pytest.mark.parametrize("pattern", ["[a", "v[", "v[]", "{a", "{a,{b}", "a\\", "[a\\]", "v{[}]"])
def test_a_pattern_that_is_not_closed_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest, match="not closed"):
        check_pattern(pattern, "a filter")


@pytest.mark.parametrize(
    "pattern",
    ["[a-c]*", "[!a]", "[^a]", "[\\]]", "{a,{b,c}}", "a}", "a]", "\\[a", "\\{a", "**", "{[}],b}"],
)
def test_a_pattern_that_is_closed_is_taken(pattern: str) -> None:
    check_pattern(pattern, "a filter")


@pytest.mark.parametrize(
    ("repository", "tag", "disabled", "held"),
    [
        ("team/web", "v1", False, True),
        ("team/web/api", "v1", False, False),
        ("team/web", "latest", False, False),
        ("team/web", "v1", True, False),
    ],
)
def test_a_rule_holds_for_tags_of_repositories(repository: str, tag: str, *, disabled: bool, held: bool) -> None:
    rule = ImmutableRule(
        id=1,
        project_id=1,
        disabled=disabled,
        repository_selectors=(Selector(decoration="repoMatches", pattern="*"),),
        tag_selectors=(
            Selector(decoration="matches", pattern="v*"),
            Selector(decoration="excludes", pattern="*-rc"),
        ),
    )
    assert rule.covers(RepositoryName.parse(repository), tag) is held
    assert not rule.covers(RepositoryName.parse(repository), "v1-rc")


@pytest.mark.parametrize(
    ("limit", "before", "after", "crossed"),
    [(100, 84, 85, True), (100, 85, 99, False), (100, 10, 84, False), (-1, 0, 2**40, False), (100, 0, 100, True)],
)
def test_a_quota_warns_once_on_the_way_up(limit: int, before: int, after: int, *, crossed: bool) -> None:
    assert crosses_warning(limit, before, after) is crossed


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536 * 2**20, "1.5 GiB"), (2**50, "1024.0 TiB")],
)
def test_sizes_are_told_in_words(size: int, words: str) -> None:
    assert in_words(size) == words


@pytest.mark.parametrize("hard", [{}, {"storage": 0}, {"storage": -2}, {"count": 5}, {"storage": 1, "count": 5}])
def test_a_limit_that_is_none_is_refused(hard: dict[str, int]) -> None:
    with pytest.raises(BadRequest):
        parse_limits(hard)
