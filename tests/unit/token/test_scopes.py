import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.token.domain import MOST_SCOPES, Access, Scope, grant, parse_scopes, projects_of
from services.token.errors import MalformedScope, TooManyScopes

APP = Scope(type="repository", name="library/app", actions=("pull", "push"))
OTHER = Scope(type="repository", name="other/app", actions=("pull",))


def _granted(text: str, *allowed: str, catalog: bool = False) -> list[tuple[str, ...]]:
    return [entry.actions for entry in grant(parse_scopes([text]), lambda _: frozenset(allowed), catalog=catalog)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["repository:library/app:pull,push"], (APP,)),
        (["repository:library/app:pull,push", "repository:other/app:pull"], (APP, OTHER)),
        (["repository:library/app:pull,push repository:other/app:pull"], (APP, OTHER)),
        (["  repository:library/app:pull,push   "], (APP,)),
        (["repository:library/app:pull", "repository:library/app:push,pull"], (APP,)),
        ([""], ()),
        ([], ()),
    ],
    ids=["one", "repeated parameter", "one parameter", "blanks", "asked twice", "empty", "none"],
)
def test_scopes_are_read_in_every_form_clients_send(texts: list[str], expected: tuple[Scope, ...]) -> None:
    assert parse_scopes(texts) == expected


def test_a_name_may_hold_a_host_with_its_port() -> None:
    (scope,) = parse_scopes(["repository:registry.example.test:8443/library/app:pull"])
    assert (scope.name, scope.actions) == ("registry.example.test:8443/library/app", ("pull",))
    assert scope.project is None


def test_a_class_of_the_type_is_kept() -> None:
    (scope,) = parse_scopes(["repository(plugin):library/app:pull"])
    assert scope.project == "library"
    entry = Access(type=scope.type, name=scope.name, actions=scope.actions)
    assert entry.claim() == {"type": "repository", "class": "plugin", "name": "library/app", "actions": ("pull",)}


@pytest.mark.parametrize(
    "text",
    [
        "library/app",
        "repository:library/app",
        ":library/app:pull",
        "repository::pull",
        "REPOSITORY:library/app:pull",
        "repository:library/app:Pull",
        "repository:library/app:pull;push",
        "repository:" + "a/" * 300 + "a:pull",
    ],
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(MalformedScope):
        parse_scopes([text])


def test_more_scopes_than_any_client_needs_are_refused() -> None:
    many = [f"repository:library/app{number}:pull" for number in range(MOST_SCOPES)]
    assert len(parse_scopes(many)) == MOST_SCOPES
    for texts in ([*many, "repository:library/more:pull"], [" ".join(many) + " repository:library/more:pull"]):
        with pytest.raises(TooManyScopes):
            parse_scopes(texts)


@pytest.mark.parametrize(
    "name",
    ["app", "*", "*/*", "library/*", "library/../other/app", "library//app", "Library/app", "library/app/", "%2F"],
)
def test_a_name_that_is_no_repositorys_belongs_to_no_project(name: str) -> None:
    (scope,) = parse_scopes([f"repository:{name}:pull"])
    assert scope.project is None
    assert _granted(f"repository:{name}:pull,push,delete,*", "pull", "push", "delete") == [()]


def test_projects_are_named_once() -> None:
    scopes = parse_scopes(["repository:a/x:pull repository:a/y:pull repository:b/z:pull registry:catalog:*"])
    assert projects_of(scopes) == ["a", "b"]


def test_actions_are_narrowed_to_what_is_allowed() -> None:
    assert _granted("repository:library/app:pull,push", "pull") == [("pull",)]
    assert _granted("repository:library/app:push", "pull") == [()]
    assert _granted("repository:library/app:pull", "pull", "push", "delete") == [("pull",)]


def test_a_star_asks_for_all_that_is_allowed() -> None:
    assert _granted("repository:library/app:*", "pull", "push", "delete") == [("delete", "pull", "push")]
    assert _granted("repository:library/app:*,pull", "pull") == [("pull",)]
    assert _granted("repository:library/app:*") == [()]


def test_what_writes_can_be_taken_out_of_what_was_granted() -> None:
    everything = frozenset({"pull", "push", "delete"})
    scopes = parse_scopes(["repository:a/x:pull,push,delete", "repository:a/y:pull", "registry:catalog:*"])
    granted = grant(scopes, lambda _project: everything, catalog=True)
    assert [entry.writes for entry in granted] == [True, False, False]
    assert [entry.reading.actions for entry in granted] == [("pull",), ("pull",), ("*",)]


def test_the_catalog_is_granted_to_who_may_list_all_and_to_nobody_else() -> None:
    assert _granted("registry:catalog:*", "pull", catalog=True) == [("*",)]
    assert _granted("registry:catalog:*", "pull", "push", "delete") == [()]


def test_an_unknown_type_or_action_grants_nothing() -> None:
    assert _granted("registry:everything:*", "pull", catalog=True) == [()]
    assert _granted("blob:library/app:pull", "pull") == [()]
    assert _granted("repository:library/app:admin", "pull") == [()]


@given(st.lists(st.text(max_size=40), max_size=5))
def test_no_text_does_more_than_be_refused(texts: list[str]) -> None:
    try:
        scopes = parse_scopes(texts)
    except MalformedScope:
        return
    entries = grant(scopes, lambda _: frozenset({"pull"}), catalog=False)
    assert [(entry.type, entry.name) for entry in entries] == [(scope.type, scope.name) for scope in scopes]
    assert all(set(entry.actions) <= {"pull"} for entry in entries)
