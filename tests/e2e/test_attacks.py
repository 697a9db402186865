"""Attacks on the running whole: forged tokens, path tricks, side doors, accounts of the broker that reach too far."""

from __future__ import annotations

import base64
import http.client
from typing import TYPE_CHECKING, Final

import amqp
import pytest
import requests
from msgspec.structs import replace

from tests.clients.forgery import FORGERIES
from tests.clients.images import make_image
from tests.clients.listeners import listeners

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.system import Person, System


@pytest.fixture(scope="module")
def private(system: System) -> str:
    """A private project with one image in it."""
    name = system.new_project()
    answer = system.registry().push(f"{name}/app", "v1", make_image(name))
    assert answer.status_code == requests.codes.created
    return name


@pytest.fixture(scope="module")
def genuine(system: System, private: str) -> str:
    """A token that opens the image."""
    token = system.registry().token(f"repository:{private}/app:pull")
    assert with_token(system, "GET", f"/v2/{private}/app/manifests/v1", token) == requests.codes.ok
    return token


def with_token(system: System, method: str, path: str, token: str) -> int:
    answer = requests.request(
        method, f"{system.url}{path}", timeout=10,
        headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    return answer.status_code


def raw(system: System, method: str, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """A request whose path nobody tidies up on its way."""
    connection = http.client.HTTPConnection(system.host, timeout=10)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


# A3, A4


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_forged_token_opens_nothing(
    system: System, private: str, genuine: str, forgery: Callable[[str], str], method: str,
) -> None:
    """PUT and DELETE go by the gate, GET by the registry: neither may be fooled."""
    forged = forgery(genuine)
    assert with_token(system, method, f"/v2/{private}/app/manifests/v1", forged) == requests.codes.unauthorized


# A5


def test_the_name_of_a_deleted_project_is_reserved_while_its_tokens_live(system: System) -> None:
    name = system.new_project()
    token = system.registry().token(f"repository:{name}/app:pull,push")
    system.admin.must("DELETE", f"/projects/{name}")
    refused = system.admin.send("POST", "/projects", json={"project_name": name})
    assert refused.status_code == requests.codes.conflict
    assert name in refused.json()["errors"][0]["message"]
    target = system.new_project()
    mounted = requests.post(
        f"{system.url}/v2/{target}/app/blobs/uploads/?mount=sha256:{'0' * 64}&from={name}/app",
        headers={"Authorization": f"Bearer {token}"}, timeout=10,
    )
    assert mounted.status_code == requests.codes.unauthorized


# A9

PATH_TRICKS: Final = (
    "/v2/%2e%2e/{private}/app/manifests/v1",
    "//v2//{private}/app/manifests/v1",
    "/v2//{private}/app/manifests/v1",
    "/v2/{private}%2Fapp/manifests/v1",
    "/%2F%2F..%2Fv2/{private}/app/manifests/v1",
    "/v2/library/../{private}/app/manifests/v1",
    "/v2/library/x/..%2f..%2f{private}/app/manifests/v1",
    "/v2/./{private}/app/manifests/v1",
    "/v2/{private}/app/manifests/v1;x=1",
    "/v2/{private}\\app/manifests/v1",
    "/V2/{private}/app/manifests/v1",
    "/api/../v2/{private}/app/manifests/v1",
    "/api/v2.0/events/stream/../../../../internal/token",
    "/auth/token/../../internal/token",
    "/v2/{private}/app/manifests/v1%00",
    "/v2/library/../{private}/app/tags/list",
    "/v2/library/x/..%2f..%2f{private}/app/tags/list",
    "/v2/{private}%2Fapp/tags/list",
    "/v2/{private}/app/tags/list;x=1",
    "/v2//{private}/app/tags/list",
    "/v2/{private}/app/tags/%2e%2e/manifests/v1",
    "/v2/library/../_catalog",
    "/v2/%5Fcatalog",
    "/v2/_catalog/../{private}/app/manifests/v1",
    "/v2/{private}/app/referrers/..%2fmanifests/v1",
    "/v2/{private}/app/referrers/sha256:0/../../manifests/v1",
    "/.basic",
    "/.basic/../v2/{private}/app/manifests/v1",
    "/internal/basic",
    "/v2/../internal/basic",
    "/auth/token/../../internal/basic",
)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", PATH_TRICKS)
def test_a_malformed_path_leads_nowhere(
    system: System, private: str, genuine: str, path: str, method: str,
) -> None:
    password = base64.b64encode(f"{system.admin_name}:{system.admin_password}".encode()).decode()
    for authorization in (f"Bearer {genuine}", f"Basic {password}"):
        headers = {"Authorization": authorization, "Content-Length": "0"}
        answer = raw(system, method, path.format(private=private), headers)
        assert answer.status in {400, 404, 405}, answer.status
        assert answer.headers["X-Minted"] is None


def test_a_challenge_is_the_same_for_a_project_that_is_and_one_that_is_not(system: System, private: str) -> None:
    registry = system.registry(system.new_person())
    texts = []
    for name in (private, "no-such-project"):
        answer = registry.get_manifest(f"{name}/app", "v1")
        texts.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert texts[0] == texts[1]
    assert texts[0][0] == requests.codes.unauthorized


# A10


def test_nothing_listens_beyond_loopback(system: System) -> None:
    found = listeners(pid for pids in system.pids_by_part().values() for pid in pids)
    assert {port for _, port in found} >= {int(system.host.rsplit(":", 1)[1])}
    assert {address for address, _ in found} <= {"127.0.0.1", "::1"}


def test_the_proxy_hides_what_is_internal(system: System) -> None:
    for path in ("/internal/token", "/internal/", "/service/notifications", "/debug/vars"):
        for method in ("GET", "POST"):
            assert raw(system, method, path, {"Content-Length": "0"}).status == requests.codes.not_found, path
    assert raw(system, "GET", "/metrics", {}).status == requests.codes.unauthorized


def test_the_headers_that_name_the_caller_are_not_believed(system: System, private: str, genuine: str) -> None:
    answer = raw(
        system, "GET", f"/v2/{private}/app/manifests/v1",
        {
            "Authorization": f"Bearer {genuine}", "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9",
            "Forwarded": "for=203.0.113.9", "User-Agent": "spoof gate/00000000-0000-0000-0000-000000000000",
            "Accept": "application/vnd.oci.image.manifest.v1+json",
        },
    )
    assert answer.status == requests.codes.ok
    assert not system.rows("SELECT 1 FROM events.log WHERE body::text LIKE '%203.0.113.9%'")


# A1, A2, A8


@pytest.mark.parametrize("scope", ["repository:*:*", "registry:catalog:*", "repository:*/*:pull", "repository::pull"])
def test_a_wildcard_scope_grants_nothing_to_who_is_no_administrator(
    system: System, private: str, scope: str, person: Callable[[str, str], Person],
) -> None:
    registry = system.registry(person(private, "projectAdmin"))
    answer = registry.ask_token([scope])
    if answer.ok:
        token = answer.json()["token"]
        assert with_token(system, "GET", "/v2/_catalog", token) == requests.codes.unauthorized
        assert with_token(system, "GET", "/v2/library/x/tags/list", token) == requests.codes.unauthorized
    else:
        assert answer.status_code in {requests.codes.bad_request, requests.codes.unauthorized}


@pytest.mark.alone
@pytest.mark.parametrize(
    "scopes", [["repository:library/a:pull"] * 1000, ["repository:library/" + "a" * 100_000 + ":pull"]],
    ids=["a thousand scopes", "a scope of 100 KB"],
)
def test_an_immense_scope_is_refused_in_a_sentence(system: System, scopes: list[str]) -> None:
    answer = system.registry().ask_token(scopes)
    assert answer.status_code in {400, 413, 414, 431}
    assert answer.elapsed.total_seconds() < 2


# F43


@pytest.mark.parametrize("part", ["audit", "metadata", "webhook", "replication", "relay"])
def test_a_service_account_of_the_broker_may_do_its_own_work_only(system: System, part: str) -> None:
    settings = replace(system.settings, part=part)
    with amqp.Connection(
        host=f"{settings.amqp_host}:{settings.amqp_port}", userid=part,
        password=settings.secret("amqp-password").reveal(), virtual_host=settings.amqp_vhost, connect_timeout=5,
    ) as connection:
        for forbidden in (
            lambda channel: channel.queue_declare("mine"),
            lambda channel: channel.exchange_declare("mine", "topic", auto_delete=False),
            lambda channel: channel.queue_delete("audit" if part != "audit" else "metadata"),
            lambda channel: channel.exchange_delete("breakwater.events"),
            lambda channel: channel.queue_purge("audit" if part != "audit" else "metadata"),
            lambda channel: channel.basic_get("audit" if part != "audit" else "metadata"),
        ):
            with pytest.raises(amqp.exceptions.AccessRefused):
                forbidden(connection.channel())
        if part != "relay":
            channel = connection.channel()
            channel.confirm_select()
            with pytest.raises(amqp.exceptions.AccessRefused):
                channel.basic_publish_confirm(amqp.Message("{}"), "breakwater.events", "artifact.pushed.library")


def test_the_broker_knows_no_guest(system: System) -> None:
    settings = system.settings
    with pytest.raises((amqp.exceptions.AccessRefused, OSError)):
        amqp.Connection(
            host=f"{settings.amqp_host}:{settings.amqp_port}", userid="guest", password="guest", connect_timeout=5,
        ).connect()
