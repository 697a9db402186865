"""Other registries through the API: set up, changed, tried, forgotten; and their secrets, which nobody is shown."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest

from shared.secrets import Sealer, Secret
from tests.integration.core.people import ADMIN, Api, code, sentence
from tests.integration.core.rows import policy_of, registry_of

URL = "https://elsewhere.example.test"


def body(name: str, **fields: object) -> dict[str, Any]:
    return {"name": name, "type": "harbor", "url": URL} | fields


def rows(api: Api, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query, values).fetchall()


def written(api: Api) -> list[tuple[Any, ...]]:
    """All that a refused request could have written."""
    return rows(
        api,
        """
        SELECT (SELECT jsonb_agg(r ORDER BY id) FROM replication.registries r),
               (SELECT count(*) FROM events.outbox WHERE type LIKE 'breakwater.registry%%')
        """,
    )


def sealed(api: Api, number: int) -> tuple[str | None, str | None]:
    [(secret, proxy)] = rows(api, "SELECT access_secret, proxy FROM replication.registries WHERE id = %s", number)
    return secret, proxy


def opened(api: Api, text: str | None) -> str:
    key = (api.database.server.home / "secrets" / "config-key").read_text().strip()
    return Sealer([Secret(key)]).open(text or "").reveal()


def test_a_registry_is_set_up_shown_and_told(api: Api) -> None:
    number = api.made("/registries", body("first", description="of the branch office", url=URL + "/", id=7))
    shown = api.get(f"/registries/{number}").json
    assert {name: shown[name] for name in shown if not name.endswith("_time")} == {
        "id": number, "name": "first", "description": "of the branch office", "type": "harbor", "url": URL,
        "insecure": False, "status": "unknown", "concurrency": 16,
    }  # fmt: skip
    assert shown in api.get("/registries").json
    told = api.events("registry.created")[-1]
    assert (told["subject"], told["data"]["registry_id"], told["data"]["url"]) == ("first", number, URL)


def test_the_secrets_of_a_registry_are_sealed_and_never_shown(api: Api) -> None:
    number = api.made("/registries", body(
        "sealed", credential={"type": "basic", "access_key": "robot", "access_secret": "canary-secret"},
        proxy="http://u:canary-proxy@proxy.example.test:3128",
    ))  # fmt: skip
    shown = api.get(f"/registries/{number}")
    assert shown.json["credential"] == {"type": "basic", "access_key": "robot", "access_secret": "*****"}
    assert shown.json["proxy"] == "*****"
    assert "canary" not in shown.text + api.get("/registries").text
    assert "canary" not in str(written(api)) + str(api.events("registry.created"))
    secret, proxy = sealed(api, number)
    assert (opened(api, secret), opened(api, proxy)) == ("canary-secret", "http://u:canary-proxy@proxy.example.test:3128")


UNFIT = {
    "no name": ({"name": " "}, "name"),
    "a long name": ({"name": "n" * 65}, "name"),
    "a long description": ({"description": "d" * 1025}, "description"),
    "no address": ({"url": ""}, "URL"),
    "no scheme": ({"url": "elsewhere.example.test"}, "URL"),
    "another scheme": ({"url": "ftp://elsewhere.example.test"}, "URL"),
    "a password in the address": ({"url": "https://u:p@elsewhere.example.test"}, "URL"),
    "a query in the address": ({"url": URL + "/?a=b"}, "URL"),
    "loopback": ({"url": "http://127.0.0.1:5000"}, "127.0.0.1"),
    "a cloud's metadata": ({"url": "http://169.254.169.254"}, "169.254.169.254"),
    "no certificate": ({"ca_certificate": "-----BEGIN"}, "ca_certificate"),
    "a proxy on loopback": ({"proxy": "http://127.0.0.1:3128"}, "127.0.0.1"),
    "a proxy that is none": ({"proxy": "proxy"}, "proxy"),
    "none at once": ({"concurrency": 0}, "concurrency"),
    "a number for a name": ({"name": 5}, "name"),
    "a text for a flag": ({"insecure": "no"}, "insecure"),
}


@pytest.mark.parametrize(("wrong", "named"), UNFIT.values(), ids=UNFIT)
def test_an_unfit_registry_is_refused_in_a_sentence_and_nothing_is_written(
    api: Api, wrong: dict[str, Any], named: str
) -> None:
    number = registry_of(api)
    before = written(api)
    for method, path, sent in (
        ("POST", "/registries", body("unfit") | wrong), ("PUT", f"/registries/{number}", wrong)
    ):  # fmt: skip
        answer = api.send(method, path, ADMIN, sent)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST"), answer.text
        assert named in sentence(answer)
    assert written(api) == before


@pytest.mark.parametrize("kind", ["", "helm-hub", 5])
def test_a_type_that_is_not_known_is_refused(api: Api, kind: object) -> None:
    before = written(api)
    assert api.send("POST", "/registries", ADMIN, body("unfit", type=kind)).status_code == 400
    assert written(api) == before


@pytest.mark.parametrize("where", ["access_secret", "proxy"])
def test_a_mask_is_no_secret_of_a_new_registry(api: Api, where: str) -> None:
    before = written(api)
    masked = {"credential": {"access_secret": "*****"}} if where == "access_secret" else {"proxy": "*****"}
    answer = api.send("POST", "/registries", ADMIN, body("masked") | masked)
    assert (answer.status_code, where in sentence(answer)) == (400, True)
    assert written(api) == before


def test_a_name_is_given_once(api: Api) -> None:
    registry_of(api, name="taken")
    other = registry_of(api)
    before = written(api)
    assert api.send("POST", "/registries", ADMIN, body("taken")).status_code == 409
    assert api.send("PUT", f"/registries/{other}", ADMIN, {"name": "taken"}).status_code == 409
    assert written(api) == before


def test_what_is_not_named_in_a_change_stays(api: Api) -> None:
    number = api.made("/registries", body(
        "stays", description="d", credential={"access_key": "robot", "access_secret": "secret"},
        proxy="http://proxy.example.test:3128", concurrency=4,
    ))  # fmt: skip
    kept = sealed(api, number)
    before = api.get(f"/registries/{number}").json
    change = {"description": "other", "access_secret": "*****", "proxy": "*****", "name": None}
    assert api.send("PUT", f"/registries/{number}", ADMIN, change).status_code == 200
    after = api.get(f"/registries/{number}").json
    assert after | {"description": "d", "update_time": before["update_time"]} == before
    assert after["description"] == "other"
    assert sealed(api, number) == kept
    assert api.events("registry.updated")[-1]["data"]["changed"] == ["description"]


def test_a_change_that_changes_nothing_is_not_told(api: Api) -> None:
    number = api.made("/registries", body("same", credential={"access_key": "robot", "access_secret": "secret"}))
    before = written(api)
    same = {"name": "same", "url": URL, "access_key": "robot", "access_secret": "secret", "insecure": False}
    assert api.send("PUT", f"/registries/{number}", ADMIN, same).status_code == 200
    assert written(api) == before


@pytest.mark.parametrize(
    "change",
    [{"url": "https://evil.example.test"}, {"url": "http://elsewhere.example.test"}, {"insecure": True},
     {"proxy": "http://evil.example.test:3128"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("secret", [{}, {"access_secret": "*****"}], ids=["not named", "masked"])
def test_a_stored_secret_is_sent_nowhere_else_neither_by_a_change_nor_by_a_ping(
    api: Api, change: dict[str, Any], secret: dict[str, str]
) -> None:
    number = registry_of(api, url=URL, credential={"access_key": "robot", "access_secret": "secret"})
    before = written(api)
    for method, path, sent in (
        ("PUT", f"/registries/{number}", change | secret),
        ("POST", "/registries/ping", {"id": number} | change | secret),
    ):
        answer = api.send(method, path, ADMIN, sent)
        assert (answer.status_code, "give it in full" in sentence(answer)) == (400, True), answer.text
    assert written(api) == before
    assert api.send("PUT", f"/registries/{number}", ADMIN, change | {"access_secret": "new"}).status_code == 200
    assert opened(api, sealed(api, number)[0]) == "new"


def test_a_secret_is_taken_away(api: Api) -> None:
    number = registry_of(api, credential={"access_key": "robot", "access_secret": "secret"})
    assert api.send("PUT", f"/registries/{number}", ADMIN, {"access_key": "", "access_secret": ""}).status_code == 200
    assert sealed(api, number) == (None, None)
    assert "credential" not in api.get(f"/registries/{number}").json


def test_what_is_reached_in_another_way_is_checked_anew(api: Api) -> None:
    number = registry_of(api)
    rows(
        api,
        """
        UPDATE replication.registries SET status = 'unhealthy', reason = 'no route', failures = 3, checked_at = now(),
                                          due_at = now() + interval '1 hour'
        WHERE id = %s RETURNING id
        """,
        number,
    )
    state: LiteralString = """
        SELECT status, reason, failures, checked_at IS NULL, due_at > now() FROM replication.registries WHERE id = %s
    """
    shown = api.get(f"/registries/{number}").json
    assert (shown["status"], shown["status_text"], "check_time" in shown) == ("unhealthy", "no route", True)
    api.send("PUT", f"/registries/{number}", ADMIN, {"description": "d"})
    assert rows(api, state, number) == [("unhealthy", "no route", 3, False, True)]
    api.send("PUT", f"/registries/{number}", ADMIN, {"access_key": "other"})
    assert rows(api, state, number) == [("unknown", "", 0, True, False)]


def test_at_another_address_nothing_was_copied_yet(api: Api) -> None:
    """A deletion follows what a policy has copied: it must not follow it to a registry that never had it."""
    number = registry_of(api, url=URL)
    policy, other = policy_of(api, number), policy_of(api, registry_of(api))
    copied = (
        "INSERT INTO replication.copies (policy_id, source, reference, target, digest, copied_at)"
        " VALUES (%s, 'library/app', '1.0', 'copies/app', 'sha256:abc', now()) RETURNING 1"
    )
    for each in (policy, other):
        rows(api, copied, each)
    left = "SELECT policy_id FROM replication.copies ORDER BY 1"
    api.send("PUT", f"/registries/{number}", ADMIN, {"access_key": "another"})
    assert rows(api, left) == [(policy,), (other,)]
    api.send("PUT", f"/registries/{number}", ADMIN, {"url": URL + "/other"})
    assert rows(api, left) == [(other,)]


def test_a_registry_is_forgotten_once_no_policy_is_about_it(api: Api) -> None:
    number = registry_of(api)
    pushing, pulling = policy_of(api, number), policy_of(api, 0, src_registry={"id": number})
    for policy in (pushing, pulling):
        before = written(api)
        answer = api.send("DELETE", f"/registries/{number}")
        assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
        assert written(api) == before
        api.send("DELETE", f"/replication/policies/{policy}")
    assert api.send("DELETE", f"/registries/{number}").status_code == 200
    assert api.events("registry.deleted")[-1]["data"]["registry_id"] == number
    for method, sent in (("GET", None), ("PUT", {}), ("DELETE", None)):
        assert api.send(method, f"/registries/{number}", ADMIN, sent).status_code == 404
    assert api.send("POST", "/registries/ping", ADMIN, {"id": number}).status_code == 404


def test_registries_are_listed_newest_first_with_filters(api: Api) -> None:
    for name in ("listed-a", "listed-b", "listed-c"):
        registry_of(api, name=name, type="quay" if name == "listed-b" else "harbor")
    named = "/registries?name=LISTED-"
    assert [each["name"] for each in api.get(named).json] == ["listed-c", "listed-b", "listed-a"]
    assert [each["name"] for each in api.get(f"{named}&sort=name").json] == ["listed-a", "listed-b", "listed-c"]
    assert [each["name"] for each in api.get(f"{named}&q=type=quay").json] == ["listed-b"]
    assert [each["name"] for each in api.get("/registries?q=name=listed-a").json] == ["listed-a"]
    page = api.get(f"{named}&page_size=1&page=2&sort=name")
    assert ([each["name"] for each in page.json], page.headers["x-total-count"]) == (["listed-b"], "3")
    assert 'rel="next"' in page.headers["link"]
    assert api.get("/registries?q=access_secret=~a").status_code == 400
    assert api.get("/registries?q=proxy=~a").headers["x-total-count"] == api.get("/registries").headers["x-total-count"]


@pytest.mark.parametrize(
    ("kind", "filters", "triggers"),
    [
        ("harbor", {"name", "tag", "label", "resource"}, ["manual", "scheduled"]),
        ("docker-registry", {"name", "tag", "resource"}, ["manual", "scheduled"]),
        ("", {"name", "tag", "label", "resource"}, ["manual", "scheduled", "event_based"]),
    ],
)
def test_what_can_be_asked_of_a_registry_is_told(
    api: Api, kind: str, filters: set[str], triggers: list[str]
) -> None:
    number = registry_of(api, type=kind) if kind else 0
    told = api.get(f"/registries/{number}/info").json
    assert told["type"] == kind or "harbor"
    assert {each["type"] for each in told["supported_resource_filters"]} == filters
    assert told["supported_triggers"] == triggers


def test_the_types_of_registries_are_told(api: Api) -> None:
    names = api.get("/replication/adapters").json
    assert {"harbor", "docker-registry", "docker-hub", "aws-ecr"} <= set(names)
    infos = api.get("/replication/adapterinfos").json
    assert list(infos) == names
    assert infos["docker-hub"]["endpoint_pattern"]["endpoints"] == [
        {"key": "hub.docker.com", "value": "https://hub.docker.com"}
    ]
    assert infos["google-gcr"]["credential_pattern"]["access_key_data"] == "_json_key"


@pytest.mark.parametrize("number", ["x", "0", "-1", "99999999999999999999", "1' OR '1'='1"])
def test_a_number_that_is_none_is_refused(api: Api, number: str) -> None:
    assert api.get(f"/registries/{number}").status_code in {404, 422}


def test_a_robot_of_the_system_does_what_it_was_given(api: Api) -> None:
    robot = api.robot(None, system=(("registry", "list"), ("registry", "create"), ("replication-adapter", "list")))
    assert api.get("/registries", robot).status_code == 200
    assert api.get("/replication/adapters", robot).status_code == 200
    number = api.made("/registries", body("of a robot"), robot)
    for method, path, sent in (
        ("GET", f"/registries/{number}", None), ("PUT", f"/registries/{number}", {"description": "d"}),
        ("DELETE", f"/registries/{number}", None), ("POST", "/registries/ping", {"id": number}),
        ("GET", f"/registries/{number}/info", None), ("GET", "/replication/policies", None),
    ):  # fmt: skip
        assert api.send(method, path, robot, sent).status_code == 403, (method, path)
    assert api.get(f"/registries/{number}").json["description"] == ""
